"""Times dense causal prefill attention beside its peers, in one run on one GPU.

    python3 bench/kernels/attention/bench_attention.py --library LIBRARY --commit HASH --out FILE

The tests of prefill run first; no figure is written when one fails. All implementations take turns on
the same inputs, and each is timed in its own steady state. --only takes the cases whose id contains
the text; their rows replace those of the same id in FILE.
"""

import statistics
import sys
from pathlib import Path

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "test" / "kernels"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import attention_test
from attention_kernels import AttentionKernels
from attention_testing import make
from options import bench_options
from record import checksum_of, write_record
from timing import REPEATS, measure

CASES = [
    # id, tokens, heads, KV heads, head dim
    ("attention.dense.d128.8k", 8192, 12, 2, 128),
    ("attention.dense.d128.32k", 32768, 12, 2, 128),
    ("attention.dense.d128.128k", 131072, 12, 2, 128),
    ("attention.dense.d64.32k", 32768, 14, 2, 64),
    ("attention.dense.d64.128k", 131072, 14, 2, 64),
]
OURS = "longview"


def flash_attention_3():
    import fa3_fwd_interface

    return lambda q, k, v: fa3_fwd_interface.flash_attn_func(q[None], k[None], v[None], causal=True)


def torch_backend(backend):
    def call(q, k, v):
        with sdpa_kernel(backend):
            return torch.nn.functional.scaled_dot_product_attention(
                *(x.transpose(0, 1)[None] for x in (q, k, v)), is_causal=True, enable_gqa=True
            )

    return call


def row(case, times, checksum):
    name, tokens, heads, _, dim = case
    medians = {key: statistics.median(values) for key, values in times.items()}
    peer = min((key for key in medians if key != OURS), key=medians.get)
    flop = 2 * heads * dim * tokens * (tokens + 1)
    others = ", ".join(f"{key} {value:.3f} ms" for key, value in medians.items() if key != OURS)
    return {
        "id": name,
        "value": round(medians[OURS], 4),
        "unit": "ms",
        "peer": peer,
        "peerValue": round(medians[peer], 4),
        "ratio": round(medians[peer] / medians[OURS], 4),
        "min": round(min(times[OURS]), 4),
        "median": round(medians[OURS], 4),
        "max": round(max(times[OURS]), 4),
        "note": f"{flop / medians[OURS] / 1e9:.0f} TFLOP/s; peers: {others}; {REPEATS} repeats in turn; "
        f"output sha256 {checksum}",
    }


def main():
    options = bench_options(__doc__)

    if attention_test.run_all(options.library, only="prefill"):
        sys.exit("The kernel fails its tests: no figures.")
    kernels = AttentionKernels(options.library)
    implementations = {
        OURS: lambda q, k, v: kernels.dense_prefill(q, k, v, torch.empty_like(q)),
        "fa3-fwd 0.0.3": flash_attention_3(),
        f"cuDNN {torch.backends.cudnn.version()} in torch": torch_backend(
            SDPBackend.CUDNN_ATTENTION
        ),
    }
    rows = []
    for case in CASES:
        name, tokens, heads, kv_heads, dim = case
        if options.only not in name:
            continue
        inputs = make(tokens, tokens, heads, kv_heads, dim)
        checksum = checksum_of(implementations[OURS](*inputs))
        rows.append(row(case, measure(implementations, inputs), checksum))
        print(
            f"{name:28} {rows[-1]['value']:8.3f} ms  x{rows[-1]['ratio']:.3f}  {rows[-1]['note']}",
            flush=True,
        )
    kernels.close()
    write_record(options.out, "attention-dense", options.commit, rows)


if __name__ == "__main__":
    main()
