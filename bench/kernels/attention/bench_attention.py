"""Times dense causal prefill attention beside its peers, in one run on one GPU.

    python3 bench/kernels/attention/bench_attention.py --library LIBRARY --commit HASH --out FILE

The kernel's tests run first; no figure is written when one fails. All implementations take turns on
the same inputs, so that each meets the same clocks and heat.
"""

import argparse
import datetime
import hashlib
import json
import statistics
import subprocess
import sys
from pathlib import Path

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "test" / "kernels"))

import attention_test
from attention_kernels import AttentionKernels

CASES = [
    # id, tokens, heads, KV heads, head dim
    ("attention.dense.d128.8k", 8192, 12, 2, 128),
    ("attention.dense.d128.32k", 32768, 12, 2, 128),
    ("attention.dense.d128.128k", 131072, 12, 2, 128),
    ("attention.dense.d64.32k", 32768, 14, 2, 64),
    ("attention.dense.d64.128k", 131072, 14, 2, 64),
]
OURS = "longview"
WARM_UPS = 2
REPEATS = 7
# Short calls are repeated inside one timing, to this many milliseconds, so that clocks settle.
TIMED_MS = 40


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


def elapsed_ms(call, calls):
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(calls):
        call()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) / calls


def measure(implementations, inputs):
    """Milliseconds of one call: {name: [REPEATS]}."""
    calls = {}
    for name, implementation in implementations.items():
        for _ in range(WARM_UPS):
            implementation(*inputs)
        once = elapsed_ms(lambda: implementation(*inputs), 1)
        calls[name] = max(1, round(TIMED_MS / once))
    times = {name: [] for name in implementations}
    order = list(implementations)
    for _ in range(REPEATS):
        for name in order:
            times[name].append(elapsed_ms(lambda: implementations[name](*inputs), calls[name]))
        order.append(order.pop(0))
    return times


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


def driver_version():
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    return subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--library", required=True)
    parser.add_argument("--commit", required=True)
    parser.add_argument("--out", required=True, type=Path)
    options = parser.parse_args()

    kernels = AttentionKernels(options.library)
    if attention_test.run_all(kernels):
        sys.exit("The kernel fails its tests: no figures.")
    implementations = {
        OURS: lambda q, k, v: kernels.dense_prefill(q, k, v, torch.empty_like(q)),
        "fa3-fwd 0.0.3": flash_attention_3(),
        f"cuDNN {torch.backends.cudnn.version()} in torch": torch_backend(
            SDPBackend.CUDNN_ATTENTION
        ),
        f"FA2 in torch {torch.__version__}": torch_backend(SDPBackend.FLASH_ATTENTION),
    }
    rows = []
    for case in CASES:
        name, tokens, heads, kv_heads, dim = case
        inputs = attention_test.make(tokens, tokens, heads, kv_heads, dim)
        output = implementations[OURS](*inputs)
        checksum = hashlib.sha256(output.view(torch.int16).cpu().numpy()).hexdigest()[:16]
        rows.append(row(case, measure(implementations, inputs), checksum))
        print(
            f"{name:28} {rows[-1]['value']:8.3f} ms  x{rows[-1]['ratio']:.3f}  {rows[-1]['note']}",
            flush=True,
        )
    kernels.close()

    record = {
        "bench": "attention-dense",
        "commit": options.commit,
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "device": torch.cuda.get_device_name(),
        "driver": driver_version(),
        "rows": rows,
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
