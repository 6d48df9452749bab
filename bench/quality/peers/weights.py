"""The weights of a GGUF file as bf16 tensors, by the description that `quality prompts` wrote of it.

Block formats as ggml has them: Q4_K and Q6_K are super-blocks of 256 values.
"""

import json
from pathlib import Path

import torch

BLOCK = 256


def _half(data, offset):
    """The fp16 at byte `offset` of every block: [blocks, 1], fp32."""
    return data[:, offset : offset + 2].contiguous().view(torch.float16).float()


def _q4_k(data):
    """[blocks, 144] bytes to [blocks, 256]: 8 sub-blocks with 6-bit scales and minima."""
    scale, minimum, packed = _half(data, 0), _half(data, 2), data[:, 4:16]
    low, middle, high = packed[:, 0:4], packed[:, 4:8], packed[:, 8:12]
    scales = torch.cat([low & 63, (high & 15) | ((low >> 6) << 4)], 1).float() * scale
    minima = torch.cat([middle & 63, (high >> 4) | ((middle >> 6) << 4)], 1).float() * minimum
    nibbles = data[:, 16:].view(-1, 4, 32)
    values = torch.stack([nibbles & 15, nibbles >> 4], 2).view(-1, 8, 32).float()
    return (values * scales[:, :, None] - minima[:, :, None]).view(-1, BLOCK)


def _q6_k(data):
    """[blocks, 210] bytes to [blocks, 256]: 16 sub-blocks with 8-bit scales; 4 low and 2 high bits."""
    low, high = data[:, :128].view(-1, 2, 2, 32), data[:, 128:192].view(-1, 2, 32)
    scales = data[:, 192:208].contiguous().view(torch.int8).float() * _half(data, 208)
    lows = torch.cat([low & 15, low >> 4], 2)
    highs = torch.stack([(high >> shift) & 3 for shift in (0, 2, 4, 6)], 2)
    values = (lows | (highs << 4)).float() - 32
    return (values.view(-1, 16, 16) * scales[:, :, None]).view(-1, BLOCK)


_FORMATS = {"Q4_K": (144, _q4_k), "Q6_K": (210, _q6_k)}


class GgufWeights:
    """`described` is model.json of `quality prompts`, `path` the GGUF file that it describes."""

    def __init__(self, described, path, device):
        self._tensors = json.loads(Path(described).read_text())["tensors"]
        size = Path(path).stat().st_size
        self._bytes = torch.from_file(str(path), size=size, dtype=torch.uint8)
        self._device = device

    def has(self, name):
        return name in self._tensors

    def get(self, name):
        """bf16, its slowest dimension first: a linear layer is [out, in]."""
        tensor = self._tensors[name]
        start, kind = tensor["offsetBytes"], tensor["type"]
        data = self._bytes[start : start + tensor["sizeBytes"]].to(self._device)
        shape = tensor["dims"][::-1]
        if kind == "F32":
            return data.view(torch.float32).view(shape).bfloat16()
        if kind not in _FORMATS:
            raise ValueError(f"{name} is {kind}: no reader for it here, only F32, Q4_K and Q6_K")
        block_bytes, decode = _FORMATS[kind]
        return decode(data.view(-1, block_bytes)).bfloat16().view(shape)
