"""Runs SampleAttention beside dense attention on one layer, and compares both with exact rows.

    python3 kernels/capi/python/example.py build/cuda/liblongview_attention.so [--tokens 32768] [--alpha 0.95]
        [--heads 12] [--kv-heads 2] [--dim 128] [--qkv FILE]

Without --qkv the queries and keys are drawn so that few blocks matter to a query, as in the heads of a language
model. FILE is what torch.save wrote of (query, key, value): bf16, [tokens, heads,
dim] and twice [tokens, KV heads, dim], rotated. Needs torch and a GPU.
"""

import argparse
import math
import statistics

import torch

import longview_attention as longview
from sample_attention import DenseAttention, SampleAttention, densities

NEIGHBOURHOOD = 256  # keys
CHECKED_ROWS = 64
REPEATS = 5


def draw(tokens, heads, kv_heads, dim):
    """Random queries, keys and values. Keys of a neighbourhood are alike, and the queries of a tile look for one
    neighbourhood before them, the later heads more sharply."""
    generator = torch.Generator("cuda").manual_seed(1)
    normal = lambda *shape: torch.randn(*shape, generator=generator, device="cuda")
    positions = torch.arange(tokens, device="cuda")
    neighbourhoods = normal(math.ceil(tokens / NEIGHBOURHOOD), kv_heads, dim)
    key = normal(tokens, kv_heads, dim) + neighbourhoods[positions // NEIGHBOURHOOD]
    query = normal(tokens, heads, dim)
    chances = torch.rand(math.ceil(tokens / 128), heads, generator=generator, device="cuda")
    sharpness = torch.linspace(0.4, 1.0, heads).tolist()
    for head in range(heads):
        before = positions // 128 * 128 / NEIGHBOURHOOD
        wanted = (chances[positions // 128, head] * before).long()
        query[:, head] += sharpness[head] * neighbourhoods[wanted, head * kv_heads // heads]
    return query.bfloat16(), key.bfloat16(), normal(tokens, kv_heads, dim).bfloat16()


def exact(query, key, value, rows):
    """Causal attention of some rows in fp32: [rows, heads, dim]."""
    group = query.shape[1] // key.shape[1]
    hidden = torch.arange(key.shape[0], device="cuda")[None, :] > rows[:, None]
    out = []
    for head in range(query.shape[1]):
        scores = query[rows, head].float() @ key[:, head // group].float().T
        weights = (scores / math.sqrt(query.shape[2])).masked_fill(hidden, -math.inf).softmax(-1)
        out.append(weights @ value[:, head // group].float())
    return torch.stack(out, dim=1)


def relative_error(output, expected):
    """Of each head, in the Euclidean norm over all rows."""
    difference = (output.float() - expected).norm(dim=(0, 2))
    return difference / expected.norm(dim=(0, 2))


def milliseconds(action):
    """Median device time of a call."""
    action()
    times = []
    for _ in range(REPEATS):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        action()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end))
    return statistics.median(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library")
    parser.add_argument("--tokens", type=int, default=32768)
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--kv-heads", type=int, default=2)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--alpha", type=float, default=0.95)
    parser.add_argument("--qkv")
    options = parser.parse_args()

    if options.qkv:
        query, key, value = (x.cuda() for x in torch.load(options.qkv, weights_only=True))
    else:
        query, key, value = draw(options.tokens, options.heads, options.kv_heads, options.dim)
    library = longview.load(options.library)
    settings = longview.SelectionSettings(alpha=options.alpha, count_forced_mass=1)
    sparse, dense = SampleAttention(library, settings), DenseAttention(library)

    output, counts = sparse(query, key, value)
    rows = torch.linspace(0, query.shape[0] - 1, CHECKED_ROWS, device="cuda").long()
    expected = exact(query, key, value, rows)
    errors = relative_error(output[rows], expected).tolist()
    dense_errors = relative_error(dense(query, key, value)[rows], expected).tolist()
    shares = densities(counts, query.shape[0]).tolist()
    print("head  density  error of sparse  error of dense   (beside exact fp32 attention)")
    for head, (share, error, dense_error) in enumerate(zip(shares, errors, dense_errors)):
        print(f"{head:4}  {share:7.3f}  {error:15.5f}  {dense_error:14.5f}")
    dense_ms = milliseconds(lambda: dense(query, key, value))
    sparse_ms = milliseconds(lambda: sparse(query, key, value))
    print(
        f"{query.shape[0]} tokens: dense {dense_ms:.3f} ms, sparse {sparse_ms:.3f} ms with sampling and "
        f"selection: {dense_ms / sparse_ms:.2f}x at density {sum(shares) / len(shares):.3f}"
    )
    sparse.close()
    dense.close()


if __name__ == "__main__":
    main()
