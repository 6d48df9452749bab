"""Times SampleAttention as a whole beside dense FlashAttention-3, for the head shapes of several models.

    python3 bench/kernels/attention/bench_sample.py --library liblongview_attention.so --commit HASH --out FILE

One layer of a prompt: sampling, selection and attention, through the C interface, in chunks of 16K; the peer
is one dense call. Every list has the best blocks up to the length that `--density` asks for, whatever the data
(as many at least as at most), so that shapes compare at equal density. The data is random with a drift. --only takes the
cases whose id contains the text; their rows replace those of the same id in FILE.
"""

import math
import statistics
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "bench" / "kernels"), str(ROOT / "kernels" / "capi" / "python")]

import longview_attention as longview
from options import bench_options
from record import checksum_of, write_record
from sample_attention import SampleAttention, densities
from timing import measure

CASES = [
    # id, tokens, heads, KV heads, head dim
    (f"attention.sample.{heads}h.d{dim}.{tokens // 1024}k", tokens, heads, kv_heads, dim)
    for tokens in (32768, 131072)
    for heads, kv_heads, dim in ((12, 2, 128), (28, 4, 128), (32, 8, 128), (14, 2, 64))
]


def make(tokens, heads, kv_heads, dim):
    """Queries, keys and values; neighbourhoods of keys stand out, as they do in text."""
    generator = torch.Generator("cuda").manual_seed(tokens)
    draw = lambda *shape: torch.randn(*shape, generator=generator, device="cuda")
    drift = draw(math.ceil(tokens / 64), kv_heads, dim).repeat_interleave(64, 0)[:tokens]
    key = draw(tokens, kv_heads, dim) + drift
    query, value = draw(tokens, heads, dim) * 2, draw(tokens, kv_heads, dim)
    return query.bfloat16(), key.bfloat16(), value.bfloat16()


def blocks_for(tokens, density):
    """Blocks of a list, so that of the causal pairs of `tokens` rows the share `density` is read:
    w n - w^2 / 2 = density n^2 / 2."""
    return round(tokens * (1 - math.sqrt(1 - density)) / longview.BLOCK_KEYS)


def flash_attention_3(query, key, value):
    import fa3_fwd_interface

    return fa3_fwd_interface.flash_attn_func(query[None], key[None], value[None], causal=True)


def row(case, times, density, checksum):
    name, tokens, heads, _, dim = case
    ours, peer = (statistics.median(times[key]) for key in ("ours", "peer"))
    rate = 2 * dim * density * heads * tokens * tokens / ours / 1e9
    return {
        "id": name,
        "value": round(ours, 4),
        "unit": "ms",
        "peer": "fa3-fwd 0.0.3",
        "peerValue": round(peer, 4),
        "ratio": round(peer / ours, 4),
        "min": round(min(times["ours"]), 4),
        "median": round(ours, 4),
        "max": round(max(times["ours"]), 4),
        "density": round(density, 4),
        "note": f"sampling, selection and attention at density {density:.4f}; {rate:.0f} TFLOP/s of attention; "
        f"{len(times['ours'])} repeats in turn; output sha256 {checksum}",
    }


def main():
    options = bench_options(__doc__, density=0.08)

    library = longview.load(options.library)
    rows = []
    for case in CASES:
        name, tokens, heads, kv_heads, dim = case
        if options.only not in name:
            continue
        blocks = blocks_for(tokens, options.density)
        settings = longview.SelectionSettings(alpha=0.0, min_blocks=blocks, max_blocks=blocks)
        attention = SampleAttention(library, settings)
        inputs = make(tokens, heads, kv_heads, dim)
        output, counts = attention(*inputs)
        density = densities(counts, tokens).mean().item()
        implementations = {"ours": attention, "peer": flash_attention_3}
        times = measure(implementations, inputs, options.repeats)
        rows.append(row(case, times, density, checksum_of(output)))
        print(
            f"{name:30} {rows[-1]['value']:8.3f} ms  x{rows[-1]['ratio']:.3f}  {rows[-1]['note']}",
            flush=True,
        )
        attention.close()
        del inputs, output
        write_record(options.out, "attention-sample", options.commit, rows)


if __name__ == "__main__":
    main()
