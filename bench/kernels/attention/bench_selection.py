"""Times both stages of block selection, one layer of a whole prompt in chunks.

python3 bench/kernels/attention/bench_selection.py --library LIB --commit HASH --out FILE

Each figure is the sum over the prompt's chunks of CHUNK tokens over what is cached before them. Stage
1 includes averaging the chunk's keys. The data is random with a drift, so that some blocks stand out:
times of stage 1 do not depend on it; those of stage 2 hardly do.
"""

import math
import statistics
import sys
from pathlib import Path

import torch

sys.path[:0] = [
    str(Path(__file__).resolve().parents[1]),
    str(Path(__file__).resolve().parents[3] / "test" / "kernels"),
]

import attention_selection_test
from attention_kernels import KV_BLOCK_TOKENS
from attention_selection_kernels import (
    FILTERING,
    SAMPLING,
    Lists,
    Selector,
    Settings,
    blocks_of,
    pooled_cache,
    tiles_of,
)
from options import bench_options
from record import write_record
from timing import measure

CHUNK = 16384
CASES = [  # name, tokens, heads, KV heads, head dim
    (f"{heads}/{kv_heads}, {dim}, {tokens // 1024}K", tokens, heads, kv_heads, dim)
    for heads, kv_heads, dim in ((12, 2, 128), (14, 2, 64), (28, 4, 128), (32, 8, 128))
    for tokens in (8192, 16384, 32768, 65536, 131072)
]
VARIANTS = [(16, 8), (16, 1), (16, 4), (16, 16), (8, 8)]  # sampled rows of a tile, averaged keys


class Prompt:
    """One layer of a prompt, selected chunk by chunk."""

    def __init__(self, selector, tokens, heads, kv_heads, dim):
        self._selector = selector
        self._query, self._key = attention_selection_test.make(tokens, tokens, heads, kv_heads, dim)
        pooled_keys = selector.settings.pooled_keys
        pool_blocks = math.ceil(tokens / KV_BLOCK_TOKENS)
        self._pooled = pooled_cache(pool_blocks, kv_heads, dim, pooled_keys)
        self._chunks = []
        for first in range(0, tokens, CHUNK):
            end = min(first + CHUNK, tokens)
            query = self._query[first:end]
            workspace = selector.workspace(query.shape, kv_heads, end)
            max_blocks = math.ceil(blocks_of(end) / 8) * 8
            lists = Lists(heads, tiles_of(end - first), max_blocks, "cuda")
            self._chunks.append((query, end, workspace, lists))

    def run(self, stages):
        for query, end, workspace, lists in self._chunks:
            self._selector.run(query, self._key, self._pooled, end, workspace, lists, stages)

    def density(self):
        """Kept blocks among the visible ones."""
        kept = sum(lists.counts.sum().item() for *_, lists in self._chunks)
        blocks = self._key.shape[0] // 64
        return kept / (self._query.shape[1] * (blocks // 2) * (blocks // 2 + 1))


def row(name, case, rows, pooled_keys, times, density):
    medians = {stage: statistics.median(samples) for stage, samples in times.items()}
    sums = [sum(samples) for samples in zip(*times.values())]
    _, tokens, heads, _, dim = case
    pairs = heads * tokens * tokens / 2 * rows / 128 / pooled_keys
    sampling = medians["sampling"]
    return {
        "id": name,
        "value": round(sum(medians.values()), 4),
        "unit": "ms",
        "min": round(min(sums), 4),
        "median": round(statistics.median(sums), 4),
        "max": round(max(sums), 4),
        "samplingMs": round(sampling, 4),
        "filteringMs": round(medians["filtering"], 4),
        "note": f"{pairs * 2 * dim / sampling / 1e9:.0f} TFLOP/s and "
        f"{pairs / sampling / 1e9:.2f} T exponentials/s in stage 1; density {density:.3f}; "
        f"chunks of {CHUNK}",
    }


def main():
    options = bench_options(__doc__)

    if attention_selection_test.run_all(options.library):
        sys.exit("The kernels fail their tests: no figures.")
    rows = []
    for case in CASES:
        for sampled_rows, pooled_keys in VARIANTS:
            name = f"{case[0]}, {sampled_rows} rows, {pooled_keys} keys"
            if options.only not in name:
                continue
            selector = Selector(
                options.library, Settings(sampled_rows=sampled_rows, pooled_keys=pooled_keys)
            )
            prompt = Prompt(selector, *case[1:])
            prompt.run(SAMPLING)
            stages = {
                "sampling": lambda: prompt.run(SAMPLING),
                "filtering": lambda: prompt.run(FILTERING),
            }
            times = measure(stages, ())
            rows.append(row(name, case, sampled_rows, pooled_keys, times, prompt.density()))
            print(f"{name:36} {rows[-1]['value']:7.3f} ms = {rows[-1]['samplingMs']:7.3f} + "
                  f"{rows[-1]['filteringMs']:6.3f}  {rows[-1]['note']}", flush=True)
            selector.close()
    write_record(options.out, "attention-selection", options.commit, rows)


if __name__ == "__main__":
    main()
