"""Times sparse prefill attention beside dense FlashAttention-3, in one run on one GPU.

    python3 bench/kernels/attention/bench_sparse.py --library LIBRARY --commit HASH --out FILE

The tests of sparse prefill run first; no figure is written when one fails. Lists are random: a number
stands for the chance of a block to be listed, in percent; `skew` is 2 for most heads and 40 for a
sixth of them. With `+averages`, all other blocks are averaged, and that is in the time. The peer is one dense call over the same prompt, whether ours is one call or chunks of
16K over what is cached. `efficiency` is our rate of work on the pairs that are computed, as a share of
the peer's on all pairs. --only takes the cases whose id contains the text; their rows replace those of
the same id in FILE.
"""

import statistics
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "test" / "kernels"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import attention_test
from attention_sparse_kernels import BLOCK_KEYS, TILE_ROWS, Lists, SparseKernels, visible_blocks
from attention_testing import make
from options import bench_options
from record import checksum_of, write_record
from timing import REPEATS, measure

CHUNK = 16384
CASES = [
    # id, tokens, tokens of a call, heads, KV heads, head dim, lists
    ("attention.sparse.12h.d128.32k", 32768, CHUNK, 12, 2, 128, ["16", "8", "skew"]),
    (
        "attention.sparse.12h.d128.128k",
        131072,
        CHUNK,
        12,
        2,
        128,
        ["100", "16", "8", "8+averages", "4", "skew"],
    ),
    ("attention.sparse.12h.d128.128k.one-call", 131072, 131072, 12, 2, 128, ["8"]),
    ("attention.sparse.28h.d128.128k", 131072, CHUNK, 28, 4, 128, ["8"]),
    ("attention.sparse.32h.d128.128k", 131072, CHUNK, 32, 8, 128, ["8"]),
    ("attention.sparse.14h.d64.128k", 131072, CHUNK, 14, 2, 64, ["8", "skew"]),
]
SKEWED_HEADS = 1 / 6
AVERAGES = "+averages"


def chances(name, heads):
    """The chance of a block to be listed, for each head."""
    if name != "skew":
        return torch.full((heads,), int(name) / 100)
    shares = torch.full((heads,), 0.02)
    shares[:: round(1 / SKEWED_HEADS)] = 0.40
    return shares


def lists_of(name, heads, q_len, kv_len):
    generator = torch.Generator("cuda").manual_seed(kv_len)
    seen, own = visible_blocks(q_len, kv_len)
    lucky = torch.rand(heads, *seen.shape, generator=generator, device="cuda")
    chosen = lucky < chances(name, heads).cuda()[:, None, None]
    return Lists(seen & (own | chosen))


def pairs_of(lists, q_len, kv_len):
    """Query and key pairs that the lists hold."""
    heads, tiles, blocks = lists.mask.shape
    first = kv_len - q_len + torch.arange(tiles, device="cuda")[:, None] * TILE_ROWS
    before = lists.mask & (torch.arange(blocks, device="cuda") * BLOCK_KEYS < first)
    on_diagonal = heads * tiles * TILE_ROWS * (TILE_ROWS + 1) // 2
    return before.sum().item() * BLOCK_KEYS * TILE_ROWS + on_diagonal


def flash_attention_3(query, key, value):
    import fa3_fwd_interface

    return fa3_fwd_interface.flash_attn_func(query[None], key[None], value[None], causal=True)


def prompt_of(kernels, name, case, inputs):
    """A call of ours for the whole prompt, its output, and the pairs that it computes."""
    _, tokens, call_tokens, heads, *_ = case
    query, key, value = inputs
    output = torch.empty_like(query)
    calls, pairs = [], 0
    for begin in range(0, tokens, call_tokens):
        end = begin + call_tokens
        lists = lists_of(name.removesuffix(AVERAGES), heads, call_tokens, end)
        pairs += pairs_of(lists, call_tokens, end)
        calls.append((query[begin:end], key[:end], value[:end], output[begin:end], lists))
    buffers = kernels.average_buffers(key, calls[-1][-1])  # of the last call: the largest

    def run(*_):
        for call in calls:
            kernels.sparse_prefill(*call)

    def run_averages(*_):
        for call in calls:
            query, key, value, _, lists = call
            averages, _ = kernels.average_blocks(query, key, value, lists, None, buffers)
            kernels.sparse_prefill_averages(*call, averages)

    return run_averages if name.endswith(AVERAGES) else run, output, pairs


def row(case, name, times, pairs, checksum):
    identifier, tokens, call_tokens, heads, _, dim, _ = case
    ours, peer = (statistics.median(times[key]) for key in ("ours", "peer"))
    all_pairs = heads * tokens * (tokens + 1) // 2
    density, speedup = pairs / all_pairs, peer / ours
    rate = 4 * dim * pairs / ours / 1e9
    return {
        "id": f"{identifier}.{name}",
        "value": round(ours, 4),
        "unit": "ms",
        "peer": "fa3-fwd 0.0.3",
        "peerValue": round(peer, 4),
        "ratio": round(speedup, 4),
        "min": round(min(times["ours"]), 4),
        "median": round(ours, 4),
        "max": round(max(times["ours"]), 4),
        "note": f"density {density:.4f}, efficiency {density * speedup:.3f}, {rate:.0f} TFLOP/s; "
        f"{tokens // call_tokens} calls; {REPEATS} repeats in turn; output sha256 {checksum}",
    }


def main():
    options = bench_options(__doc__)

    for tests in ("sparse", "averages"):
        if attention_test.run_all(options.library, only=tests):
            sys.exit("The kernel fails its tests: no figures.")
    kernels = SparseKernels(options.library)
    rows = []
    for case in CASES:
        identifier, tokens, _, heads, kv_heads, dim, names = case
        names = [name for name in names if options.only in f"{identifier}.{name}"]
        if not names:
            continue
        inputs = make(tokens, tokens, heads, kv_heads, dim)
        for name in names:
            ours, output, pairs = prompt_of(kernels, name, case, inputs)
            times = measure({"ours": ours, "peer": flash_attention_3}, inputs)
            rows.append(row(case, name, times, pairs, checksum_of(output)))
            print(
                f"{rows[-1]['id']:40} {rows[-1]['value']:8.3f} ms  x{rows[-1]['ratio']:.3f}  "
                f"{rows[-1]['note']}",
                flush=True,
            )
    kernels.close()
    write_record(options.out, "attention-sparse", options.commit, rows)


if __name__ == "__main__":
    main()
