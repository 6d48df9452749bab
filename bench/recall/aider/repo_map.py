"""Runs aider's repository map over a folder, once for each question and budget.

Usage: repo_map.py REQUEST.json ANSWERS.json
REQUEST: {"root", "files": [relative paths], "tokenizer": tokenizer.json, "questions": [text], "budgets": [tokens]}
ANSWERS: [[{"tokens": n, "files": {path: "the lines of it that the map shows"}} for each budget] for each question]

The map is aider's own (`aider.repomap.RepoMap`), and so is what it takes from a question: the three methods of
its `Coder` are run from its source, since importing them would ask for all of aider. Two things differ, neither of
which changes a map: tags are kept in memory, and the ranking of a question serves its three budgets.
"""

import ast
import importlib.util
import json
import os
import re
import sys
from collections import defaultdict
from pathlib import Path

import tokenizers
from aider.repomap import RepoMap

MENTION_METHODS = ("get_ident_mentions", "get_ident_filename_matches", "get_file_mentions")


def mention_methods():
    """The methods of aider's Coder that find names of files and symbols in a message, compiled from its source."""
    package = Path(importlib.util.find_spec("aider").origin).parent
    tree = ast.parse((package / "coders" / "base_coder.py").read_text())
    coder = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Coder")
    wanted = [node for node in coder.body if getattr(node, "name", None) in MENTION_METHODS]
    scope = {"re": re, "os": os, "Path": Path, "defaultdict": defaultdict}
    exec(compile(ast.Module(body=wanted, type_ignores=[]), "base_coder.py", "exec"), scope)
    return {name: scope[name] for name in MENTION_METHODS}


class Mentions:
    """What the three methods ask of a Coder whose chat holds no files."""

    def __init__(self, files):
        self.files = files
        self.abs_read_only_fnames = set()

    def get_all_relative_files(self):
        return self.files

    def get_addable_relative_files(self):
        return set(self.files)

    def get_inchat_relative_files(self):
        return []


for name, method in mention_methods().items():
    setattr(Mentions, name, method)


class Io:
    def read_text(self, path):
        return Path(path).read_text(encoding="utf-8")

    def tool_output(self, *_args, **_kwargs):
        pass

    def tool_warning(self, message):
        print(message, file=sys.stderr)

    tool_error = tool_warning


class Model:
    def __init__(self, tokenizer):
        self.tokenizer = tokenizers.Tokenizer.from_file(tokenizer)

    def token_count(self, text):
        return len(self.tokenizer.encode(text, add_special_tokens=False).ids)


class Map(RepoMap):
    """Keeps tags in memory and the ranking of the last question."""

    def load_tags_cache(self):
        self.TAGS_CACHE = {}

    asked = None
    ranked = None

    def get_mtime(self, fname):
        return 1.0

    def get_ranked_tags(self, chat, other, fnames, idents, progress=None):
        asked = (frozenset(fnames), frozenset(idents))
        if self.asked != asked:
            self.ranked = super().get_ranked_tags(chat, other, fnames, idents)
            self.asked = asked
        return self.ranked


def files_of(listing):
    """Of a map: the lines shown of each file. A file of which only the path is named has none."""
    shown = {}
    path = None
    for line in listing.splitlines():
        if line.endswith(":") and line[:1] not in ("│", "⋮", " "):
            path = line[:-1]
            shown[path] = []
        elif path is not None and line[:1] in ("│", "⋮"):
            shown[path].append(line[1:])
        else:
            path = None
    return {name: "\n".join(lines) for name, lines in shown.items()}


def main(request_path, answers_path):
    request = json.loads(Path(request_path).read_text())
    root = request["root"]
    model = Model(request["tokenizer"])
    mentions = Mentions(request["files"])
    repo_map = Map(map_tokens=1, root=root, main_model=model, io=Io(), refresh="always")
    everything = [os.path.join(root, name) for name in request["files"]]
    answers = []
    for index, question in enumerate(request["questions"]):
        idents = mentions.get_ident_mentions(question)
        fnames = mentions.get_file_mentions(question) | mentions.get_ident_filename_matches(idents)
        maps = []
        for budget in request["budgets"]:
            repo_map.max_map_tokens = budget
            listing = repo_map.get_repo_map(set(), everything, fnames, idents) or ""
            maps.append({"tokens": model.token_count(listing), "files": files_of(listing)})
        answers.append(maps)
        print(f"  aider: question {index + 1} of {len(request['questions'])}", file=sys.stderr)
    Path(answers_path).write_text(json.dumps(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])
