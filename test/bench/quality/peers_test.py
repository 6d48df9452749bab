"""Checks the forward pass that bench/quality/peers measures with, on the CPU: python3 test/bench/quality/peers_test.py

Needs torch. Block formats against the fixtures of the GGUF reader, and answering many questions behind one prefix
against reading each prompt as a whole.
"""

import math
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "bench" / "quality" / "peers"))

import weights
from answers import Behind, answer_all, judge, judge_ended
from decoder import Decoder, rope_frequencies

FIXTURES = ROOT / "test" / "fixtures" / "gguf"
SPEC = {
    "architecture": "qwen2",
    "layerCount": 2,
    "hiddenSize": 64,
    "headCount": 4,
    "kvHeadCount": 2,
    "headDim": 16,
    "ropeBase": 10000,
    "rmsNormEpsilon": 1e-6,
}
VOCABULARY = 40
SHAPES = {
    "token_embd.weight": (VOCABULARY, 64),
    "output_norm.weight": (64,),
    "attn_norm.weight": (64,),
    "attn_q.weight": (64, 64),
    "attn_q.bias": (64,),
    "attn_k.weight": (32, 64),
    "attn_k.bias": (32,),
    "attn_v.weight": (32, 64),
    "attn_v.bias": (32,),
    "attn_output.weight": (64, 64),
    "ffn_norm.weight": (64,),
    "ffn_gate.weight": (96, 64),
    "ffn_up.weight": (96, 64),
    "ffn_down.weight": (64, 96),
}


class RandomWeights:
    """fp32, so that what differs is a mistake and not rounding."""

    def __init__(self):
        self._generator = torch.Generator().manual_seed(1)

    def has(self, name):
        return name != "output.weight"

    def get(self, name):
        shape = SHAPES[name.split(".", 2)[2] if name.startswith("blk.") else name]
        return torch.randn(shape, generator=self._generator) * 0.3


class Letters:
    """A vocabulary whose tokens are a character and a stroke; token 0 ends."""

    end_tokens = {0}

    def __len__(self):
        return VOCABULARY

    def decoder(self):
        return lambda token: f"{chr(ord('A') + token)}|"


def dense(query, key, value, _layer):
    output, _ = over_all(query, key, value, causal=True)
    return output


def over_all(query, key, value, causal=False):
    group = query.shape[1] // key.shape[1]
    scores = torch.einsum("rhd,khd->hrk", query, key.repeat_interleave(group, 1))
    scores = scores / math.sqrt(query.shape[2])
    if causal:
        scores = scores.masked_fill(torch.ones(scores.shape[1:]).triu(1).bool(), -math.inf)
    output = torch.einsum("hrk,khd->rhd", scores.softmax(-1), value.repeat_interleave(group, 1))
    return output, scores.logsumexp(-1)


def whole(decoder, tokens):
    """Logits of the last of `tokens`, all of them read at once."""
    hidden = decoder.embed(torch.tensor(tokens))
    rotations = decoder.rotations(torch.arange(len(tokens)))
    for layer in decoder.layers:
        hidden = decoder.finish(layer, hidden, dense(*decoder.project(layer, hidden, rotations), 0))
    return decoder.logits(hidden[-1:], VOCABULARY)[0]


def test_block_formats():
    for name, (block_bytes, decode) in weights._FORMATS.items():
        blocks = torch.frombuffer(bytearray((FIXTURES / f"{name}.blocks.bin").read_bytes()), dtype=torch.uint8)
        values = torch.frombuffer(bytearray((FIXTURES / f"{name}.f32.bin").read_bytes()), dtype=torch.float32)
        decoded = decode(blocks.view(-1, block_bytes)).flatten()
        assert torch.equal(decoded, values), f"{name}: off by {(decoded - values).abs().max()}"


def test_questions_behind_a_prefix_are_prompts_read_as_a_whole():
    decoder = Decoder(RandomWeights(), SPEC, "cpu")
    prefix = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8]
    rests = [[9, 7, 9], [3, 2, 3, 8, 4, 6], [2]]
    read = decoder.read(torch.tensor(prefix), dense)
    lengths = torch.tensor([len(rest) for rest in rests])
    behind = Behind(decoder, read, lengths, 9, over_all)
    padded = torch.tensor([rest + [0] * (6 - len(rest)) for rest in rests])
    hidden = behind.run(padded, torch.arange(6).expand(3, -1))
    logits = decoder.logits(hidden[torch.arange(3), lengths - 1], VOCABULARY)
    following = torch.tensor([[11], [12], [13]])
    decoded = decoder.logits(behind.run(following, lengths[:, None])[:, 0], VOCABULARY)
    for i, rest in enumerate(rests):
        torch.testing.assert_close(logits[i], whole(decoder, prefix + rest))
        torch.testing.assert_close(decoded[i], whole(decoder, prefix + rest + [11 + i]))


def test_answers_are_greedy_and_judged():
    decoder = Decoder(RandomWeights(), SPEC, "cpu")
    prefix, remainder, rest = [3, 1, 4, 1], [5, 9], [2, 6, 5]
    tokens = prefix + remainder + rest
    for _ in range(3):
        tokens.append(int(whole(decoder, tokens).argmax()))
    spell = Letters().decoder()
    text = "".join(spell(token) for token in tokens[-3:])
    read = decoder.read(torch.tensor(prefix), dense)
    questions = [{"rest": rest, "expected": text[:-1]}, {"rest": rest, "expected": "~" + text}]
    right = answer_all(decoder, Letters(), read, remainder, questions, over_all)
    assert right == [True, False], (text, right)


def test_verdicts():
    for answer, expected, verdict in [
        ("`18", "18039", None),
        ("18039`", "18039", True),
        ("18039", "18039", None),
        ("180391", "18039", False),
        ("17", "18039", False),
        (' "amber', "amber-pine-12", None),
    ]:
        assert judge(answer, expected) is verdict, answer
    assert judge_ended("`18039", "18039") and not judge_ended("1803", "18039")


def test_positions_under_yarn():
    plain, one = rope_frequencies(SPEC)
    assert one == 1 and plain[0] == 1 and abs(float(plain[4]) - 0.01) < 1e-12
    yarn = {
        "factor": 4,
        "originalContextTokens": 32768,
        "betaFast": 32,
        "betaSlow": 1,
        "attentionFactor": 1.1386,
    }
    scaled, factor = rope_frequencies({**SPEC, "headDim": 128, "ropeBase": 1e6, "yarn": yarn})
    plain, _ = rope_frequencies({**SPEC, "headDim": 128, "ropeBase": 1e6})
    assert factor == 1.1386
    assert torch.equal(scaled[:16], plain[:16]), "pairs that turn often are kept"
    torch.testing.assert_close(scaled[50:], plain[50:] / 4)


if __name__ == "__main__":
    tests = {name: test for name, test in vars().items() if name.startswith("test_")}
    for name, test in tests.items():
        test()
        print(f"ok    {name.removeprefix('test_')}")
    print(f"{len(tests)} passed")
