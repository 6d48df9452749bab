"""Reads lengths of prompts from stdin, one a line, and prints for each, as a line of JSON, how long the best dense
attention and the best products take for such a prompt:

    echo 8000 | python3 bench/ttft/dense_limit.py

All layers of Qwen2.5-Coder-1.5B: FA3's causal attention over the whole prompt, and cuBLAS (torch) products of the
linear layers, whole or in chunks, whichever is faster; no norms, positions, head or copies. Needs torch and fa3-fwd.
"""

import json
import statistics
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "kernels"))

from timing import measure

LAYERS, HEADS, KV_HEADS, HEAD_DIM = 28, 12, 2, 128
# in, out
PRODUCTS = [(1536, 2048), (1536, 1536), (1536, 17920), (8960, 1536)]
CHUNKS = [8192, 16384]
REPEATS = 3


def draw(*shape):
    return torch.randn(*shape, device="cuda", dtype=torch.bfloat16)


def median_ms(function, inputs):
    return statistics.median(measure({"": function}, inputs, repeats=REPEATS)[""])


def attention_ms(tokens):
    import fa3_fwd_interface

    def call(q, k, v):
        return fa3_fwd_interface.flash_attn_func(q, k, v, causal=True)

    inputs = [draw(1, tokens, heads, HEAD_DIM) for heads in (HEADS, KV_HEADS, KV_HEADS)]
    return median_ms(call, inputs)


def products_ms(tokens, chunk):
    """Of one layer, in chunks of `chunk` tokens."""
    weights = [draw(rows, columns) for columns, rows in PRODUCTS]
    inputs = [draw(tokens, columns) for columns, _ in PRODUCTS]

    def call(*_):
        for start in range(0, tokens, chunk):
            for activations, weight in zip(inputs, weights):
                torch.matmul(activations[start : start + chunk], weight.T)

    return median_ms(call, ())


def limit_of(tokens):
    attention = LAYERS * attention_ms(tokens) / 1000
    chunks = {min(chunk, tokens) for chunk in (*CHUNKS, tokens)}
    products = {chunk: LAYERS * products_ms(tokens, chunk) / 1000 for chunk in sorted(chunks)}
    chunk = min(products, key=products.get)
    torch.cuda.empty_cache()
    return {
        "peer": "fa3-fwd 0.0.3 attention + cuBLAS products, one layer times 28",
        "seconds": attention + products[chunk],
        "note": f"limit: attention {attention:.4f} s + products {products[chunk]:.4f} s (M = {chunk}) "
        f"with torch {torch.__version__}",
    }


for line in sys.stdin:
    print(json.dumps(limit_of(int(line))), flush=True)
