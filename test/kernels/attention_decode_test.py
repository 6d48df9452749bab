"""Checks flash decode on a GPU; attention_test.py runs this."""

import math

import torch

from attention_testing import Poisoned, check_errors, check_refused, check_same_bits, in_pool, make

# Groups of 6, 7, 1, 4, 8, 3, and 20: more than one block takes at a time.
HEADS = [(12, 2), (14, 2), (8, 8), (8, 2), (8, 1), (9, 3), (40, 2)]
LENGTHS = [1, 2, 15, 16, 17, 31, 32, 33, 127, 128, 129, 257, 639, 640, 641, 1281, 4097, 33000]
LAST = torch.tensor([0])  # the only row of a decode step


def length_on_gpu(kv_len):
    return torch.tensor([kv_len], dtype=torch.int32, device="cuda")


def run(kernels, query, key, value, kv_len, block_table=None, max_kv_len=None):
    """query [1, heads, dim]; returns the same shape."""
    _, heads, dim = query.shape
    max_kv_len = max_kv_len or max(kv_len, 1)
    workspace_bytes = kernels.decode_workspace_bytes(max_kv_len, heads, key.shape[1], dim)
    workspace = Poisoned(workspace_bytes // 4, dtype=torch.float32)
    output = Poisoned(heads, dim)
    on_gpu = length_on_gpu(kv_len)
    kernels.flash_decode(
        query[0], key, value, output.tensor, on_gpu, max_kv_len, workspace.tensor, block_table
    )
    output.check_guards()
    workspace.check_guards()
    return output.tensor[None]


def check(kernels, kv_len, heads, kv_heads, dim, scale=1):
    query, key, value = make(1, kv_len, heads, kv_heads, dim, seed=kv_len)
    output = run(kernels, query * scale, key, value, kv_len)
    check_errors(output, query * scale, key, value, LAST.cuda())


def test_lengths(kernels):
    for dim in (64, 128):
        for i, kv_len in enumerate(LENGTHS):
            heads, kv_heads = HEADS[i % len(HEADS)]
            check(kernels, kv_len, heads, kv_heads, dim)


def test_head_groups(kernels):
    for dim in (64, 128):
        for heads, kv_heads in HEADS:
            for kv_len in (5, 777, 9000):
                check(kernels, kv_len, heads, kv_heads, dim)


def test_long_contexts(kernels):
    check(kernels, 131073, 12, 2, 128)
    check(kernels, 131073, 9, 3, 64)


def test_large_scores(kernels):
    for dim in (64, 128):
        check(kernels, 3000, 12, 2, dim, scale=100)


def test_agrees_with_oracle(kernels):
    for dim in (64, 128):
        query, key, value = make(1, 1500, 6, 2, dim)
        pools = in_pool(key, value)
        on_cpu = [query.float().cpu(), *(pool.float().cpu() for pool in pools[:2]), pools[2].cpu()]
        oracle = kernels.reference(*on_cpu, kv_len=1500)
        ours = run(kernels, query, *pools[:2], 1500, pools[2]).float().cpu()
        error = (ours - oracle).norm() / oracle.norm()
        assert error < 4e-3, f"relative error {error:.2e}"  # bf16 rounds at 2^-9


def test_pool_gives_the_same_bits(kernels):
    for dim in (64, 128):
        for i, kv_len in enumerate([1, 16, 17, 639, 640, 641, 1281, 20000, 131073]):
            heads, kv_heads = HEADS[i % len(HEADS)]
            query, key, value = make(1, kv_len, heads, kv_heads, dim, seed=kv_len)
            pool = in_pool(key, value, seed=kv_len)
            paged = run(kernels, query, *pool[:2], kv_len, pool[2])
            check_same_bits(paged, run(kernels, query, key, value, kv_len), f"{kv_len} keys")


def test_the_longest_context_does_not_matter(kernels):
    for dim in (64, 128):
        query, key, value = make(1, 8000, 12, 2, dim)
        for kv_len in (1, 100, 641, 8000):
            exact_fit = run(kernels, query, key, value, kv_len)
            roomy = run(kernels, query, key, value, kv_len, max_kv_len=1 << 20)
            check_same_bits(roomy, exact_fit, f"{kv_len} keys")


def test_nothing_behind_the_keys_is_read(kernels):
    for dim in (64, 128):
        query, key, value = make(1, 400, 12, 2, dim)
        clean = run(kernels, query, key[:333].clone(), value[:333].clone(), 333)
        key[333:], value[333:] = math.nan, math.nan
        check_same_bits(run(kernels, query, key, value, 333), clean, "with NaN behind")


def test_same_bits_every_time(kernels):
    query, key, value = make(1, 33000, 12, 2, 128)
    first = run(kernels, query, key, value, 33000)
    for i in range(20):
        check_same_bits(run(kernels, query, key, value, 33000), first, f"run {i + 2}")


def test_lengths_outside_the_limits(kernels):
    query, key, value = make(1, 700, 12, 2, 128)
    for kv_len in (0, -5):
        assert (run(kernels, query, key, value, kv_len, max_kv_len=700) == 0).all()
    clamped = run(kernels, query, key, value, 5000, max_kv_len=700)
    check_same_bits(clamped, run(kernels, query, key, value, 700), "length clamped")


def test_calls_in_a_row_share_a_workspace(kernels):
    """Each call reads what the one before wrote, as layers do; nothing waits in between."""
    heads, dim, kv_len = 12, 128, 3000
    query, key, value = make(1, kv_len, heads, 2, dim)
    size = kernels.decode_workspace_bytes(kv_len, heads, 2, dim) // 4
    workspace = torch.full((size,), math.nan, device="cuda")
    on_gpu = length_on_gpu(kv_len)
    chain = [query[0]] + [torch.empty_like(query[0]) for _ in range(30)]
    for before, after in zip(chain, chain[1:]):
        kernels.flash_decode(before, key, value, after, on_gpu, kv_len, workspace)
    torch.cuda.synchronize()
    for i, (before, after) in enumerate(zip(chain, chain[1:])):
        alone = run(kernels, before[None], key, value, kv_len)[0]
        check_same_bits(after, alone, f"call {i + 1}")


def test_one_graph_serves_every_length(kernels):
    heads, kv_heads, dim, max_kv_len = 14, 2, 64, 5000
    query, key, value = make(1, max_kv_len, heads, kv_heads, dim)
    pool = in_pool(key, value)
    size = kernels.decode_workspace_bytes(max_kv_len, heads, kv_heads, dim) // 4
    workspace = torch.full((size,), math.nan, device="cuda")
    on_gpu = length_on_gpu(max_kv_len)
    outputs = torch.full((2, heads, dim), math.nan, device="cuda", dtype=torch.bfloat16)
    step = lambda source, target: kernels.flash_decode(
        source, *pool[:2], target, on_gpu, max_kv_len, workspace, pool[2]
    )
    step(query[0], outputs[0])  # what is loaded at the first call must not be loaded in a capture
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step(query[0], outputs[0])
        step(outputs[0], outputs[1])
    for kv_len in (1, 17, 640, 641, 2000, 4999, 5000):
        on_gpu.fill_(kv_len)
        outputs.fill_(math.nan)
        graph.replay()
        torch.cuda.synchronize()
        first = run(kernels, query, key, value, kv_len)
        check_same_bits(outputs[0], first[0], f"{kv_len} keys, first layer")
        second = run(kernels, first, key, value, kv_len)
        check_same_bits(outputs[1], second[0], f"{kv_len} keys, second layer")


def test_bad_input_is_refused(kernels):
    query, key, value = make(1, 16, 12, 2, 128)
    on_gpu, workspace = length_on_gpu(16), torch.empty(1 << 20, device="cuda")
    output = torch.empty_like(query[0])
    cases = {
        "softmax_scale": {"softmax_scale": math.nan},
        "value is null": {"value": 0},
        "kv_len is null": {"kv_len": 0},
        "workspace is not aligned": {"workspace": workspace.data_ptr() + 4},
        "block_table is not aligned": {"block_table": on_gpu.data_ptr() + 1},
    }
    for expected, overrides in cases.items():
        check_refused(
            lambda: kernels.flash_decode(
                query[0], key, value, output, on_gpu, 16, workspace, **overrides
            ),
            expected,
        )
    for expected, shape in {
        "head_dim 80": (16, 12, 2, 80),
        "12 heads over 0 KV heads": (16, 12, 0, 64),
        "a context of at most 0 keys": (0, 12, 2, 64),
    }.items():
        check_refused(lambda: kernels.decode_workspace_bytes(*shape), expected)
