"""Answers all questions behind one prefix at once, greedily, with dense attention."""

import base64
import codecs
import math
import re

import torch

LONGEST_ANSWER_TOKENS = 32
_QUOTES = re.compile(r"^[\s`'\"]+")
_NAME_CHARACTER = re.compile(r"[\w$-]", re.ASCII)


def judge(answer, expected):
    """Whether an answer is right as far as it is there: None while that is open. As bench/quality/answer-check.ts."""
    text = _QUOTES.sub("", answer)
    if expected.startswith(text):
        return None
    if not text.startswith(expected):
        return False
    return not _NAME_CHARACTER.match(text[len(expected) :])


def judge_ended(answer, expected):
    return _QUOTES.sub("", answer) == expected


class Vocabulary:
    def __init__(self, described):
        """`described`: model.json of `quality prompts`, read."""
        self._bytes = [base64.b64decode(text) for text in described["vocabulary"]]
        self.end_tokens = set(described["endTokens"])

    def __len__(self):
        return len(self._bytes)

    def decoder(self):
        """A function from one token to the text that it completes."""
        utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        return lambda token: utf8.decode(self._bytes[token])


class Behind:
    """Rows behind a prefix: a batch of questions, each with its own suffix of keys and values."""

    def __init__(self, decoder, prefix, lengths, capacity, attend_prefix):
        """`lengths` int64 [questions]: tokens of each; capacity: of a suffix, answer included. attend_prefix
        is attention of rows over all keys of the prefix: (query [rows, heads, dim], key, value) to output and
        logsumexp fp32 [heads, rows]."""
        self._decoder, self._prefix, self._attend_prefix = decoder, prefix, attend_prefix
        shape = (len(lengths), capacity, decoder.kv_heads, decoder.dim)
        make = lambda: [torch.zeros_like(prefix.keys[0][:1]).new_zeros(shape) for _ in decoder.layers]
        self._keys, self._values = make(), make()
        self._questions = torch.arange(len(lengths), device=lengths.device)[:, None]

    def run(self, tokens, places):
        """tokens, places int64 [questions, rows]: what stands where in each suffix. Returns hidden states."""
        decoder = self._decoder
        hidden = decoder.embed(tokens)
        rotations = decoder.rotations(self._prefix.tokens + places)
        for number, layer in enumerate(decoder.layers):
            query, key, value = decoder.project(layer, hidden, rotations)
            self._keys[number][self._questions, places] = key
            self._values[number][self._questions, places] = value
            hidden = decoder.finish(layer, hidden, self._attend(number, query, places))
        return hidden

    def _attend(self, number, query, places):
        """The prefix and the suffix each by themselves; their softmaxes are joined by their sums."""
        rows = query.flatten(0, 1)
        keys, values = self._prefix.keys[number], self._prefix.values[number]
        before, before_sum = self._attend_prefix(rows, keys, values)
        before_sum = before_sum.T.view(*query.shape[:3])  # [questions, rows, heads]
        after, after_sum = _attend_suffix(query, self._keys[number], self._values[number], places)
        share = torch.sigmoid(before_sum - after_sum)[..., None]
        return (before.view(query.shape).float() * share + after * (1 - share)).to(query.dtype)


def _attend_suffix(query, keys, values, places):
    """fp32 attention of each row over its own suffix up to itself, and its logsumexp [questions, rows, heads]."""
    group = query.shape[2] // keys.shape[2]
    widen = lambda x: x.float().repeat_interleave(group, 2)
    scores = torch.einsum("brhd,bkhd->brhk", query.float(), widen(keys)) / math.sqrt(query.shape[3])
    hidden = torch.arange(keys.shape[1], device=keys.device) > places[:, :, None]
    scores = scores.masked_fill(hidden[:, :, None], -math.inf)
    return torch.einsum("brhk,bkhd->brhd", scores.softmax(-1), widen(values)), scores.logsumexp(-1)


def answer_all(decoder, vocabulary, prefix, remainder, questions, attend_prefix):
    """Whether each question is answered rightly. `remainder` are the prefix's last tokens that `prefix` does not
    hold: they stand before every question. `questions` as `quality prompts` writes them."""
    if not questions:
        return []
    device = decoder.device
    texts = [remainder + question["rest"] for question in questions]
    lengths = torch.tensor([len(text) for text in texts], device=device)
    longest = int(lengths.max())
    behind = Behind(decoder, prefix, lengths, longest + LONGEST_ANSWER_TOKENS, attend_prefix)
    padded = torch.tensor([text + [0] * (longest - len(text)) for text in texts], device=device)
    places = torch.arange(longest, device=device).expand(len(texts), -1)
    hidden = behind.run(padded, places)
    last = hidden[torch.arange(len(texts), device=device), lengths - 1]
    decoders = [vocabulary.decoder() for _ in questions]
    answers, verdicts = [""] * len(questions), [None] * len(questions)
    for step in range(LONGEST_ANSWER_TOKENS):
        tokens = decoder.logits(last, len(vocabulary)).argmax(-1)
        for i, token in enumerate(tokens.tolist()):
            if verdicts[i] is not None:
                continue
            expected = questions[i]["expected"]
            if token in vocabulary.end_tokens:
                verdicts[i] = judge_ended(answers[i], expected)
                continue
            answers[i] += decoders[i](token)
            verdicts[i] = judge(answers[i], expected)
        if None not in verdicts:
            break
        last = behind.run(tokens[:, None], (lengths + step)[:, None])[:, 0]
    return [
        judge_ended(answer, question["expected"]) if verdict is None else verdict
        for verdict, answer, question in zip(verdicts, answers, questions)
    ]
