"""Measures published sparse prefill beside ours and dense FlashAttention-3: time, and what is still known afterwards.

    npm run bench -- quality prompts --model GGUF --lengths 32,128 --out PROMPTS
    python3 bench/quality/peers/fetch.py --out PEERS --torch TORCH
    python3 bench/quality/peers/peers_bench.py --library build/cuda/liblongview_attention.so --model GGUF
        --prompts PROMPTS --peers PEERS --commit HASH --out bench/results/h200/quality-peers.json
        [--names fa3,balanced,fast,flashprefill2] [--last flexprefill,minference] [--only 32k-effect]
        [--limit SECONDS] [--not-compiled]

Each prompt's prefix is read once with each attention in all layers, by a plain torch forward pass over the same
weights (decoder.py); its time is what attention took on the device, selection included, the sum over the layers.
Then all questions are answered behind that KV with dense attention, greedily. Prefixes end at a multiple of 128
tokens; the few that are left stand before each question. Others than dense attention are asked what it gets right:
the share that is right is what they keep. Those of --last, which are slow, come when all prompts have had the
others; nothing begins after --limit. Needs fa3-fwd==0.0.3.
"""

import argparse
import json
import math
import sys
import time
import traceback
from pathlib import Path

import torch

import attentions

sys.path.insert(0, str(attentions.ROOT / "bench" / "kernels"))

import longview_attention as longview
from answers import Vocabulary, answer_all
from decoder import Clock, Decoder
from record import write_record
from weights import GgufWeights

TILE = 128


class Prompt:
    def __init__(self, path):
        self.name = path.stem.removeprefix("prompt-")
        described = json.loads(path.read_text())
        whole = len(described["prefix"]) // TILE * TILE
        self.tokens = torch.tensor(described["prefix"][:whole], device="cuda")
        self.remainder = described["prefix"][whole:]
        self.questions = described["questions"]
        self.size = f"{described['lengthTokens'] // 1000}k"
        self.context = str(described["contextTokens"])
        self.asked, self.dense_ms = len(self.questions), 0.0

    def is_read_densely(self, dense_ms, right):
        """From now on only the questions are asked that dense attention answers."""
        self.dense_ms = dense_ms
        self.questions = [question for question, good in zip(self.questions, right) if good]


def dense_over_prefix():
    """Attention of rows over all keys of a prefix, with its logsumexp: see answers.Behind."""
    from fa3_fwd_interface import flash_attn_func

    def attend(rows, key, value):
        output, sums = flash_attn_func(rows[None], key[None], value[None], return_attn_probs=True)[:2]
        return output[0], sums[0]

    return attend


class Measured:
    """What one attention came to, over the prompts of one length."""

    def __init__(self, settings):
        self.settings = settings
        self.attention_ms, self.dense_ms, self.densities = [], [], []
        self.kept = self.of = self.asked = 0

    def add(self, attention_ms, density, right, prompt):
        """`prompt` is measured with dense attention already."""
        self.attention_ms.append(attention_ms)
        self.dense_ms.append(prompt.dense_ms)
        if density is not None:
            self.densities.append(density)
        self.asked += prompt.asked
        self.of += len(prompt.questions)
        self.kept += sum(right)


def wilson(right, of):
    """The 95% interval of a share, as bench/quality/statistics.ts."""
    if of == 0:
        return 0.0, 1.0
    share, z = right / of, 1.96
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    spread = z * math.sqrt((share * (1 - share) + z * z / (4 * of)) / of) / (1 + z * z / of)
    return middle - spread, middle + spread


def measure(decoder, vocabulary, prompt, attention, attend_prefix):
    """Milliseconds of attention, density, and whether each question was answered rightly."""
    # Once before it counts: kernels are compiled and chosen for a length when they are first called.
    positions = torch.arange(len(prompt.tokens), device="cuda")
    embedded, rotations = decoder.embed(prompt.tokens), decoder.rotations(positions)
    attention(*decoder.project(decoder.layers[0], embedded, rotations), 0)
    clock, shares = Clock(), []

    def attend(query, key, value, layer):
        output = clock.time(lambda: attention(query, key, value, layer))
        shares.append(attention.density())
        return output

    prefix = decoder.read(prompt.tokens, attend)
    told = [float(share) for share in shares if share is not None]
    density = sum(told) / len(told) if told else None
    right = answer_all(decoder, vocabulary, prefix, prompt.remainder, prompt.questions, attend_prefix)
    return clock.total_ms(), density, right


def rows_of(measured):
    rows = []
    for (size, name), result in measured.items():
        mean = lambda values: sum(values) / len(values)
        ours, peer = mean(result.attention_ms), mean(result.dense_ms)
        low, high = wilson(result.kept, result.of)
        share = result.kept / result.of if result.of else 0.0
        rows.append(
            {
                "id": f"peers.{name}.attention.{size}",
                "value": round(ours, 2),
                "unit": "ms",
                "peer": "fa3-fwd 0.0.3",
                "peerValue": round(peer, 2),
                "ratio": round(peer / ours, 3),
                "min": round(min(result.attention_ms), 2),
                "median": round(sorted(result.attention_ms)[len(result.attention_ms) // 2], 2),
                "max": round(max(result.attention_ms), 2),
                "note": f"attention of all layers with selection, {len(result.attention_ms)} prefixes; {result.settings}",
            }
        )
        if result.densities:
            rows.append(
                {
                    "id": f"peers.{name}.density.{size}",
                    "value": round(mean(result.densities), 4),
                    "unit": "",
                    "note": "share of the causal key blocks that it says it computes",
                }
            )
        rows.append(
            {
                "id": f"peers.{name}.retrieval.{size}",
                "value": round(share, 4),
                "unit": "",
                "min": round(low, 4),
                "median": round(share, 4),
                "max": round(high, 4),
                "note": f"answers kept of the {result.of} that dense gets right of {result.asked}; "
                "min and max are the 95% interval",
            }
        )
    return rows


def parsed_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("library", "model", "prompts", "peers", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--commit", required=True)
    parser.add_argument("--names", default="")
    parser.add_argument("--last", default="flexprefill,minference")
    parser.add_argument("--only", default="")
    parser.add_argument("--limit", type=float, default=600)
    parser.add_argument("--not-compiled", action="store_true", help="FlashPrefill v1 without torch.compile")
    return parser.parse_args()


def in_order(prompts, names, last):
    """(prompt, name): dense attention first of a prompt, those of `last` when all prompts had the others."""
    first = [attentions.DENSE, *(n for n in names if n != attentions.DENSE and n not in last)]
    stages = [first, [name for name in names if name in last]]
    return [(prompt, name) for stage in stages for prompt in prompts for name in stage]


def main():
    options = parsed_options()
    started = time.perf_counter()
    say = lambda text: print(f"[{time.perf_counter() - started:5.1f} s] {text}", flush=True)
    names = attentions.names_among(options.names)
    described = json.loads((options.prompts / "model.json").read_text())
    selections = json.loads((options.prompts / "selections.json").read_text())
    weights = GgufWeights(options.prompts / "model.json", options.model, "cuda")
    decoder = Decoder(weights, next(iter(described["specs"].values())), "cuda")
    vocabulary, library = Vocabulary(described), longview.load(options.library)
    attend_prefix = dense_over_prefix()
    say(f"{options.model.name} is loaded")
    files = [file for file in options.prompts.glob("prompt-*.json") if options.only in file.name]
    prompts = [Prompt(file) for file in sorted(files, key=lambda file: file.stat().st_size)]
    made, measured = {}, {}
    for prompt, name in in_order(prompts, names, options.last.split(",")):
        if time.perf_counter() - started > options.limit:
            say(f"{prompt.name} {name}: left for another run")
            continue
        decoder.use(described["specs"][prompt.context])
        try:
            if name not in made:
                made[name] = attentions.make(
                    name, library, selections, options.peers, not options.not_compiled
                )
            attention_ms, density, right = measure(
                decoder, vocabulary, prompt, made[name], attend_prefix
            )
        except Exception:
            if name == attentions.DENSE:
                raise
            say(f"{name} FAILED\n{traceback.format_exc(limit=-4)}")
            continue
        if name == attentions.DENSE:
            prompt.is_read_densely(attention_ms, right)
        result = measured.setdefault((prompt.size, name), Measured(made[name].settings))
        result.add(attention_ms, density, right, prompt)
        say(
            f"{prompt.name:24} {name:14} {attention_ms:8.1f} ms  density {density or math.nan:.4f}  "
            f"kept {sum(right):3} of {len(prompt.questions)}"
        )
        write_record(options.out, "quality-peers", options.commit, rows_of(measured))


if __name__ == "__main__":
    with torch.no_grad():
        main()
