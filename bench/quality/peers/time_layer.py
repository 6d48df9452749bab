"""Times one layer of every attention on the same queries, keys and values, and says how far each is from dense.

    python3 bench/quality/peers/time_layer.py --library liblongview_attention.so --selections FILE --peers DIR
        [--tokens 32768,131072] [--names fa3,fast,flashprefill2] [--qkv FILE]

A first check of the peers on a machine: random data says little about what they keep. FILE of --qkv is what
torch.save wrote of (query, key, value). A peer that fails is told, and the others run. What Triton compiles stays
in its cache, for a run of peers_bench.py on prompts as long.
"""

import argparse
import json
import sys
import time
import traceback
from pathlib import Path

import torch

import attentions

sys.path.insert(0, str(attentions.ROOT / "bench" / "kernels"))
sys.path.insert(0, str(attentions.ROOT / "kernels" / "capi" / "python"))

import longview_attention as longview
from example import draw, exact, milliseconds, relative_error

CHECKED_ROWS = 64


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--library", required=True)
    parser.add_argument("--selections", type=Path, required=True)
    parser.add_argument("--peers", type=Path, required=True)
    parser.add_argument("--tokens", default="32768")
    parser.add_argument("--names", default="")
    parser.add_argument("--qkv")
    parser.add_argument("--not-compiled", action="store_true", help="FlashPrefill v1 without torch.compile")
    options = parser.parse_args()
    library = longview.load(options.library)
    selections = json.loads(options.selections.read_text())
    made = {}
    if options.qkv:
        inputs = [tuple(x.cuda() for x in torch.load(options.qkv, weights_only=True))]
    else:
        inputs = (draw(int(tokens), 12, 2, 128) for tokens in options.tokens.split(","))
    for query, key, value in inputs:
        rows = torch.linspace(0, query.shape[0] - 1, CHECKED_ROWS, device="cuda").long()
        expected = exact(query, key, value, rows)
        for name in attentions.names_among(options.names):
            started = time.perf_counter()
            try:
                if name not in made:
                    made[name] = attentions.make(
                        name, library, selections, options.peers, not options.not_compiled
                    )
                attention = made[name]
                output = attention(query, key, value, 0)
                error = relative_error(output[rows], expected).mean().item()
                first_s = time.perf_counter() - started
                taken = milliseconds(lambda: attention(query, key, value, 0))
            except Exception:
                print(f"{name:14} FAILED\n{traceback.format_exc(limit=-4)}", flush=True)
                continue
            density = attention.density()
            share = "        " if density is None else f"{float(density):8.4f}"
            print(
                f"{name:14} {query.shape[0]} tokens {taken:9.3f} ms  density {share}  error {error:.4f}  "
                f"(first call {first_s:.1f} s)  {attention.settings[:60]}",
                flush=True,
            )


if __name__ == "__main__":
    main()
