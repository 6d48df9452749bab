"""Checks one kernel of dense prefill on a GPU; attention_test.py runs this for each kernel."""

import math

import torch

from attention_kernels import exact_rows
from attention_testing import Poisoned, check_errors, check_refused, check_same_bits, in_pool, make

HEADS = [(12, 2), (14, 2), (8, 8), (8, 2), (8, 1), (9, 3)]  # groups of 6, 7, 1, 4, 8, 3
TILE_EDGES = [1, 2, 63, 64, 65, 127, 128, 129, 159, 160, 161, 191, 192, 193, 319, 321]
BLOCK_EDGES = [639, 640, 641, 1279, 1280, 1281]


def run(kernels, query, key, value, block_table=None, **overrides):
    output = Poisoned(*query.shape)
    kernels.dense_prefill(query, key, value, output.tensor, block_table, **overrides)
    output.check_guards()
    return output.tensor


def check(kernels, q_len, kv_len, heads, kv_heads, dim, sampled=None, scale=(1, 1)):
    rows = torch.arange(q_len, device="cuda")
    if sampled and q_len > sampled:
        edges = torch.tensor([0, 1, q_len - 2, q_len - 1], device="cuda")
        rows = torch.cat([rows[torch.randperm(q_len, device="cuda")[:sampled]], edges])
    query, key, value = make(q_len, kv_len, heads, kv_heads, dim, seed=q_len + kv_len)
    query, key = query * scale[0], key * scale[1]
    output = run(kernels, query, key, value)
    assert not output.isnan().any(), "an element was not written"
    check_errors(output[rows], query, key, value, rows)


def check_pool(kernels, q_len, kv_len, heads, kv_heads, dim):
    """The same bits from a pool as from contiguous keys."""
    query, key, value = make(q_len, kv_len, heads, kv_heads, dim, seed=kv_len)
    pools = in_pool(key, value, seed=kv_len)
    paged = run(kernels, query, *pools, kv_len=kv_len)
    what = f"{q_len} queries, {kv_len} keys, {heads}/{kv_heads} heads of {dim}"
    check_same_bits(paged, run(kernels, query, key, value), what)


def test_oracle_agrees_with_fp64(kernels):
    for dim in (64, 128):
        query, key, value = make(37, 101, 6, 2, dim)
        exact = exact_rows(query, key, value, torch.arange(37, device="cuda")).cpu()
        oracle = kernels.reference(query.float().cpu(), key.float().cpu(), value.float().cpu())
        assert (oracle.double() - exact).abs().max() < 1e-6


def test_kernel_agrees_with_oracle(kernels):
    for dim in (64, 128):
        query, key, value = make(130, 700, 6, 2, dim)
        pools = in_pool(key, value)
        on_cpu = [query.float().cpu(), *(pool.float().cpu() for pool in pools[:2]), pools[2].cpu()]
        oracle = kernels.reference(*on_cpu, kv_len=700)
        paged = run(kernels, query, *pools, kv_len=700).float().cpu()
        error = (paged - oracle).norm() / oracle.norm()
        assert error < 4e-3, f"relative error {error:.2e}"  # bf16 rounds at 2^-9


def test_tile_edges(kernels):
    for dim in (64, 128):
        for length in TILE_EDGES + BLOCK_EDGES:
            heads, kv_heads = HEADS[length % len(HEADS)]
            check(kernels, length, length, heads, kv_heads, dim)


def test_head_groups(kernels):
    for dim in (64, 128):
        for heads, kv_heads in HEADS:
            for q_len, kv_len in ((1, 777), (5, 5), (33, 1000), (600, 600)):
                check(kernels, q_len, kv_len, heads, kv_heads, dim)


def test_kv_offsets(kernels):
    for dim in (64, 128):
        for q_len in (1, 100, 257):
            for offset in (1, 127, 159, 160, 161, 1000, 4095):
                check(kernels, q_len, q_len + offset, 12, 2, dim)


def test_long_contexts(kernels):
    check(kernels, 131073, 131073, 12, 2, 128, sampled=64)
    check(kernels, 8193, 131073, 14, 2, 64, sampled=64)
    check(kernels, 100, 131073, 9, 3, 64)
    check(kernels, 1, 131073, 12, 2, 128)


def test_large_scores(kernels):
    for dim in (64, 128):
        check(kernels, 300, 700, 12, 2, dim, scale=(40, 4))


def test_pool_gives_the_same_bits(kernels):
    for dim in (64, 128):
        for length in TILE_EDGES[::3] + BLOCK_EDGES:
            heads, kv_heads = HEADS[length % len(HEADS)]
            check_pool(kernels, length, length, heads, kv_heads, dim)
        for heads, kv_heads in HEADS:
            check_pool(kernels, 100, 3000, heads, kv_heads, dim)
            check_pool(kernels, 1, 641, heads, kv_heads, dim)
    check_pool(kernels, 300, 131073, 12, 2, 128)


def test_same_bits_every_time(kernels):
    for dim, heads in ((64, 14), (128, 12)):
        query, key, value = make(3000, 5000, heads, 2, dim)
        first = run(kernels, query, key, value)
        for i in range(20):
            check_same_bits(run(kernels, query, key, value), first, f"run {i + 2}")


def test_chunks_give_the_same_bits(kernels):
    for dim, heads, kv_heads in ((64, 14, 2), (128, 12, 2), (64, 9, 3), (128, 8, 8)):
        query, key, value = make(2500, 2500, heads, kv_heads, dim)
        whole = run(kernels, query, key, value)
        for end, begin in ((2500, 2496), (2496, 1024), (1024, 641), (641, 0)):
            pools = in_pool(key[:end], value[:end], seed=end)
            chunk = run(kernels, query[begin:end].contiguous(), *pools, kv_len=end)
            check_same_bits(chunk, whole[begin:end], f"rows {begin} to {end}")


def test_later_keys_do_not_matter(kernels):
    query, key, value = make(500, 500, 12, 2, 128)
    before = run(kernels, query, key, value)
    key[250:], value[250:] = 100.0, -100.0
    check_same_bits(run(kernels, query, key, value)[:250], before[:250], "the first 250 rows")


def test_nothing_behind_the_keys_is_read(kernels):
    for dim in (64, 128):
        query, key, value = make(200, 333, 12, 2, dim)
        clean = run(kernels, query, key[:300].clone(), value[:300].clone())
        key[300:], value[300:] = math.nan, math.nan
        check_same_bits(run(kernels, query, key[:300], value[:300]), clean, "with NaN behind")


def test_nan_stays_in_its_row(kernels):
    query, key, value = make(200, 200, 12, 2, 128)
    query[77, 3] = math.nan
    bad = run(kernels, query, key, value).isnan().all(-1)
    assert bad.sum() == 1 and bad[77, 3]


def test_no_queries_is_no_work(kernels):
    query, key, value = make(0, 10, 12, 2, 128)
    kernels.dense_prefill(query, key, value, query.clone())


def test_bad_input_is_refused(kernels):
    query, key, value = make(8, 16, 12, 2, 128)
    table = torch.zeros(2, dtype=torch.int32, device="cuda")
    cases = {
        "head_dim 96": {"head_dim": 96},
        "12 heads over 5 KV heads": {"num_kv_heads": 5},
        "17 queries over 16 keys": {"q_len": 17},
        "-1 queries": {"q_len": -1},
        "softmax_scale": {"softmax_scale": 0.0},
        "key is null": {"key": 0},
        "output is not aligned": {"output": query.data_ptr() + 2},
        "block_table is not aligned": {"block_table": table.data_ptr() + 2, "pool_blocks": 1},
        "a pool of 0 blocks": {"block_table": table.data_ptr(), "pool_blocks": 0},
    }
    for expected, overrides in cases.items():
        output = torch.empty_like(query)
        check_refused(
            lambda: kernels.dense_prefill(query, key, value, output, **overrides), expected
        )
