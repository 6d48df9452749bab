"""Times dense FlashAttention-3 at the lengths that bench/quality reads, for the head shape of its model.

    python3 bench/quality/dense_peer.py --heads 12 --kv-heads 2 --dim 128 --tokens 31600 127400 --out DIR/dense-peer.json

One layer of a whole prompt in one call, as FlashAttention-3 likes it best. `quality report` puts the result beside the
product's attention, so run it on the same machine right before or after `quality run`.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path

import torch

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "kernels"), str(Path(__file__).resolve().parent)]

from timing import measure


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    for name in ("heads", "kv-heads", "dim"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--tokens", type=int, nargs="+", required=True)
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    import fa3_fwd_interface

    layers = []
    for tokens in options.tokens:
        draw = lambda heads: torch.randn(1, tokens, heads, options.dim, device="cuda").bfloat16()
        query, key, value = draw(options.heads), draw(options.kv_heads), draw(options.kv_heads)
        attend = lambda q, k, v: fa3_fwd_interface.flash_attn_func(q, k, v, causal=True)
        times = measure({"fa3": attend}, (query, key, value))["fa3"]
        layers.append({"tokens": tokens, "layerMs": statistics.median(times)})
        print(f"{tokens} tokens: {layers[-1]['layerMs']:.3f} ms a layer")
    Path(options.out).write_text(json.dumps({"peer": "FlashAttention-3 (fa3-fwd)", "layers": layers}))


if __name__ == "__main__":
    main()
