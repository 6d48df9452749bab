"""Times flash decode beside the bandwidth limit, in one run on one GPU.

    python3 bench/kernels/attention/bench_decode.py --library LIBRARY --commit HASH --out FILE

The tests of decode run first; no figure is written when one fails. What is timed is a CUDA graph of
one call per layer, each on keys and values of its own, so that they come from memory and not from L2.
The peer is the limit: the bytes of keys and values over the bandwidth of a copy in the same run,
which counts bytes read and written.
"""

import statistics
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "test" / "kernels"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import attention_test
from attention_kernels import AttentionKernels
from attention_testing import in_pool, make
from options import bench_options
from record import checksum_of, write_record
from timing import copy_bytes_per_second

CASES = [
    # id, tokens, heads, KV heads, head dim, layers
    ("attention.decode.d128.8k", 8192, 12, 2, 128, 28),
    ("attention.decode.d128.32k", 32768, 12, 2, 128, 28),
    ("attention.decode.d128.128k", 131072, 12, 2, 128, 28),
    ("attention.decode.d64.32k", 32768, 14, 2, 64, 24),
    ("attention.decode.d64.128k", 131072, 14, 2, 64, 24),
]
WARM_UPS = 5
REPEATS = 30


def elapsed_ms(action):
    """Milliseconds of each of REPEATS runs."""
    times = []
    for i in range(WARM_UPS + REPEATS):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        action()
        end.record()
        torch.cuda.synchronize()
        if i >= WARM_UPS:
            times.append(start.elapsed_time(end))
    return times


def layer_times(kernels, case):
    """Milliseconds of one layer, and the output of the last."""
    _, tokens, heads, kv_heads, dim, layers = case
    query, _, _ = make(1, 1, heads, kv_heads, dim)
    pools = []
    for layer in range(layers):
        _, key, value = make(1, tokens, heads, kv_heads, dim, seed=layer)
        pools.append(in_pool(key, value, spare_blocks=0, seed=layer))
    kv_len = torch.tensor([tokens], dtype=torch.int32, device="cuda")
    workspace_bytes = kernels.decode_workspace_bytes(tokens, heads, kv_heads, dim)
    workspace = torch.empty(workspace_bytes, dtype=torch.uint8, device="cuda")
    output = torch.empty_like(query[0])

    def step():
        for key, value, table in pools:
            kernels.flash_decode(query[0], key, value, output, kv_len, tokens, workspace, table)

    step()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return [ms / layers for ms in elapsed_ms(graph.replay)], output


def row(case, times, limit_ms, bandwidth, checksum):
    median = statistics.median(times)
    return {
        "id": case[0],
        "value": round(median, 5),
        "unit": "ms",
        "peer": "limit",
        "peerValue": round(limit_ms, 5),
        "ratio": round(limit_ms / median, 4),
        "min": round(min(times), 5),
        "median": round(median, 5),
        "max": round(max(times), 5),
        "note": f"one layer of {case[5]} in a CUDA graph; copy {bandwidth / 1e9:.2f} TB/s; "
        f"{REPEATS} repeats; output sha256 {checksum}",
    }


def main():
    options = bench_options(__doc__)

    if attention_test.run_all(options.library, only="decode"):
        sys.exit("The kernel fails its tests: no figures.")
    kernels = AttentionKernels(options.library)
    bandwidth = copy_bytes_per_second() / 1e3
    rows = []
    for case in CASES:
        if options.only not in case[0]:
            continue
        _, tokens, _, kv_heads, dim, _ = case
        times, output = layer_times(kernels, case)
        limit_ms = 2 * tokens * kv_heads * dim * 2 / bandwidth
        rows.append(row(case, times, limit_ms, bandwidth, checksum_of(output)))
        print(
            f"{case[0]:28} {rows[-1]['value'] * 1e3:8.2f} us  x{rows[-1]['ratio']:.3f}  "
            f"{rows[-1]['note']}",
            flush=True,
        )
    kernels.close()
    write_record(options.out, "attention-decode", options.commit, rows)


if __name__ == "__main__":
    main()
