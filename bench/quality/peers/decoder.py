"""A plain forward pass of a Qwen2 model whose attention over a prefix can be any of attentions.py.

Nothing of Longview's engine is in it: linear layers are torch's, in bf16, as the engine's are.
"""

import math
from dataclasses import dataclass

import torch
from torch.nn import functional as F

CHUNK = 16384  # rows of a linear layer at a time


@dataclass
class Layer:
    attention_norm: torch.Tensor
    query: tuple  # weight, bias
    key: tuple
    value: tuple
    output: torch.Tensor
    mlp_norm: torch.Tensor
    gate: torch.Tensor
    up: torch.Tensor
    down: torch.Tensor


@dataclass
class Prefix:
    """Rotated keys and values of a prefix, [tokens, KV heads, dim] for each layer."""

    keys: list
    values: list
    tokens: int


def rope_frequencies(spec):
    """Radians per position of each pair, and what cosines and sines are multiplied by; YaRN as its paper has
    it (arXiv:2309.00071)."""
    pairs = spec["headDim"] // 2
    frequencies = [spec["ropeBase"] ** (-pair / pairs) for pair in range(pairs)]
    yarn = spec.get("yarn")
    if yarn is None:
        return torch.tensor(frequencies, dtype=torch.float64), 1.0

    def pair_of(turns):
        ratio = yarn["originalContextTokens"] / (turns * 2 * math.pi)
        return spec["headDim"] * math.log(ratio) / (2 * math.log(spec["ropeBase"]))

    low = max(math.floor(pair_of(yarn["betaFast"])), 0)
    high = min(math.ceil(pair_of(yarn["betaSlow"])), spec["headDim"] - 1)
    for pair in range(pairs):
        slowed = min(max((pair - low) / max(high - low, 0.001), 0), 1)
        frequencies[pair] *= 1 - slowed + slowed / yarn["factor"]
    return torch.tensor(frequencies, dtype=torch.float64), yarn["attentionFactor"]


class Decoder:
    """Loads a model once; `use(spec)` chooses how its positions turn."""

    def __init__(self, weights, spec, device):
        if spec["architecture"] != "qwen2":
            raise ValueError(f"this forward pass is of qwen2, not of {spec['architecture']}")
        self.device = device
        self.heads, self.kv_heads, self.dim = spec["headCount"], spec["kvHeadCount"], spec["headDim"]
        self._epsilon = spec["rmsNormEpsilon"]
        self._embedding = weights.get("token_embd.weight")
        self._norm = weights.get("output_norm.weight")
        self._head = weights.get("output.weight") if weights.has("output.weight") else self._embedding
        self.layers = [_layer(weights, f"blk.{i}.") for i in range(spec["layerCount"])]
        self.use(spec)

    def use(self, spec):
        self._frequencies, self._rope_factor = rope_frequencies(spec)

    def rotations(self, positions):
        """Cosines and sines of each position and pair, fp32."""
        angles = positions.double()[..., None] * self._frequencies.to(positions.device)
        return (angles.cos() * self._rope_factor).float(), (angles.sin() * self._rope_factor).float()

    def embed(self, tokens):
        return F.embedding(tokens, self._embedding)

    def project(self, layer, hidden, rotations):
        """Queries, keys and values of rows, the first two rotated: [..., heads, dim]."""
        normed = self.norm(hidden, layer.attention_norm)
        split = lambda x, heads: x.view(*x.shape[:-1], heads, self.dim)
        query = split(F.linear(normed, *layer.query), self.heads)
        key = split(F.linear(normed, *layer.key), self.kv_heads)
        value = split(F.linear(normed, *layer.value), self.kv_heads)
        return rotate(query, *rotations), rotate(key, *rotations), value

    def finish(self, layer, hidden, attended):
        """The rest of a layer behind its attention; `attended` [..., heads, dim]."""
        hidden = hidden + F.linear(attended.flatten(-2), layer.output)
        normed = self.norm(hidden, layer.mlp_norm)
        activated = F.silu(F.linear(normed, layer.gate)) * F.linear(normed, layer.up)
        return hidden + F.linear(activated, layer.down)

    def norm(self, rows, weight):
        return F.rms_norm(rows, (rows.shape[-1],), weight, self._epsilon)

    def logits(self, hidden, vocabulary):
        """Of the tokens below `vocabulary`."""
        return F.linear(self.norm(hidden, self._norm), self._head[:vocabulary]).float()

    def read(self, tokens, attention):
        """Reads a prefix from its beginning: attention(query, key, value, layer) over all of it at once."""
        hidden = self.embed(tokens)
        rotations = self.rotations(torch.arange(len(tokens), device=self.device))
        prefix = Prefix([], [], len(tokens))
        for number, layer in enumerate(self.layers):
            parts = [
                self.project(layer, rows, turned)
                for rows, *turned in zip(*(x.split(CHUNK) for x in (hidden, *rotations)))
            ]
            query, key, value = (torch.cat(part) for part in zip(*parts))
            attended = attention(query, key, value, number)
            hidden = torch.cat(
                [
                    self.finish(layer, rows, out)
                    for rows, out in zip(hidden.split(CHUNK), attended.split(CHUNK))
                ]
            )
            prefix.keys.append(key)
            prefix.values.append(value)
        return prefix


class Clock:
    """Sums the device time of the calls that it is given."""

    def __init__(self):
        self._spans = []

    def time(self, action):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        result = action()
        end.record()
        self._spans.append((start, end))
        return result

    def total_ms(self):
        torch.cuda.synchronize()
        return sum(start.elapsed_time(end) for start, end in self._spans)


def rotate(rows, cos, sin):
    """Pairs are the halves of a head; rows [..., heads, dim], cos and sin [..., dim / 2]."""
    low, high = rows.float().chunk(2, -1)
    cos, sin = cos[..., None, :], sin[..., None, :]
    return torch.cat([low * cos - high * sin, high * cos + low * sin], -1).to(rows.dtype)


def _layer(weights, prefix):
    get = lambda name: weights.get(f"{prefix}{name}")
    linear = lambda name: (get(f"{name}.weight"), get(f"{name}.bias"))
    return Layer(
        attention_norm=get("attn_norm.weight"),
        query=linear("attn_q"),
        key=linear("attn_k"),
        value=linear("attn_v"),
        output=get("attn_output.weight"),
        mlp_norm=get("ffn_norm.weight"),
        gate=get("ffn_gate.weight"),
        up=get("ffn_up.weight"),
        down=get("ffn_down.weight"),
    )
