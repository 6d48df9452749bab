"""Checks one kernel of sparse prefill on a GPU; attention_test.py runs this for each kernel."""

import math

import torch

from attention_kernels import exact_rows
from attention_sparse_kernels import BLOCK_KEYS, TILE_ROWS, Lists, SparseKernels, visible_blocks
from attention_testing import Poisoned, check_errors, check_refused, check_same_bits, in_pool, make

# Groups of 6, 7, 1, 4, 8, 3.
HEADS = [(12, 2), (14, 2), (8, 8), (8, 2), (8, 1), (9, 3)]
TILE_EDGES = [1, 2, 63, 64, 65, 127, 128, 129, 191, 192, 193, 255, 256, 257, 639, 640, 641, 1281]
KV_OFFSETS = [128, 512, 640, 1280, 4096]  # whole tiles, and some whole blocks of the pool, before


def full(heads, q_len, kv_len):
    """All that is visible."""
    seen, _ = visible_blocks(q_len, kv_len)
    return Lists(seen.expand(heads, -1, -1))


def diagonal(heads, q_len, kv_len):
    """The tiles' own positions alone."""
    _, own = visible_blocks(q_len, kv_len)
    return Lists(own.expand(heads, -1, -1))


def drawn(heads, q_len, kv_len, share, seed=0):
    """The tiles' own positions, and each other block with probability `share`: lists of odd and even
    length lie side by side."""
    generator = torch.Generator("cuda").manual_seed(seed)
    seen, own = visible_blocks(q_len, kv_len)
    lucky = torch.rand(heads, *seen.shape, generator=generator, device="cuda") < share
    return Lists(seen & (own | lucky))


def uneven(heads, q_len, kv_len, seed=0):
    """One head sees everything, another its own positions alone, the others a twentieth."""
    mask = drawn(heads, q_len, kv_len, 0.05, seed).mask
    seen, own = visible_blocks(q_len, kv_len)
    mask[heads // 2] = seen
    mask[0] = own
    return Lists(mask)


def of_length(heads, q_len, kv_len, blocks):
    """The last `blocks` blocks that each tile may see, and its own."""
    seen, own = visible_blocks(q_len, kv_len)
    behind = seen.flip(-1).cumsum(-1).flip(-1)
    return Lists((seen & (own | (behind <= blocks))).expand(heads, -1, -1))


def key_mask(lists, rows, q_len, kv_len):
    """[heads, len(rows), kv_len]: true where a row sees a key."""
    keys = torch.arange(kv_len, device="cuda")
    causal = keys[None, :] <= rows[:, None] + (kv_len - q_len)
    return lists.mask[:, rows // TILE_ROWS][:, :, keys // BLOCK_KEYS] & causal


def run(kernels, query, key, value, lists, block_table=None, **overrides):
    output = Poisoned(*query.shape)
    kernels.sparse_prefill(query, key, value, output.tensor, lists, block_table, **overrides)
    output.check_guards()
    return output.tensor


def check(kernels, inputs, lists, sampled=None):
    query, key, value = inputs
    q_len, kv_len = query.shape[0], key.shape[0]
    output = run(kernels, query, key, value, lists)
    assert not output.isnan().any(), "an element was not written"
    rows = torch.arange(q_len, device="cuda")
    if sampled and q_len > sampled:
        edges = torch.tensor([0, 1, q_len - 2, q_len - 1], device="cuda")
        rows = torch.cat([rows[torch.randperm(q_len, device="cuda")[:sampled]], edges])
    mask = key_mask(lists, rows, q_len, kv_len)
    check_errors(output[rows], query, key, value, rows, mask)


def test_oracle_agrees_with_fp64(kernels):
    query, key, value = make(150, 406, 6, 2, 64)
    lists = drawn(6, 150, 406, 0.5)
    rows = torch.arange(150, device="cuda")
    exact = exact_rows(query, key, value, rows, key_mask(lists, rows, 150, 406)).cpu()
    on_cpu = (x.float().cpu() for x in (query, key, value))
    oracle = kernels.sparse_reference(*on_cpu, lists.cpu())
    assert (oracle.double() - exact).abs().max() < 1e-6


def test_agrees_with_oracle(kernels):
    for dim in (64, 128):
        query, key, value = make(200, 840, 6, 2, dim)
        lists = drawn(6, 200, 840, 0.4)
        on_cpu = (x.float().cpu() for x in (query, key, value))
        oracle = kernels.sparse_reference(*on_cpu, lists.cpu())
        ours = run(kernels, query, key, value, lists).float().cpu()
        error = (ours - oracle).norm() / oracle.norm()
        assert error < 4e-3, f"relative error {error:.2e}"  # bf16 rounds at 2^-9


def test_tile_edges(kernels):
    for dim in (64, 128):
        for i, length in enumerate(TILE_EDGES):
            heads, kv_heads = HEADS[i % len(HEADS)]
            inputs = make(length, length, heads, kv_heads, dim, seed=length)
            for lists in (full, diagonal, uneven):
                check(kernels, inputs, lists(heads, length, length))


def test_kv_offsets(kernels):
    for dim in (64, 128):
        for q_len in (1, 65, 128, 257):
            for i, offset in enumerate(KV_OFFSETS):
                heads, kv_heads = HEADS[i % len(HEADS)]
                inputs = make(q_len, q_len + offset, heads, kv_heads, dim, seed=offset)
                for share in (0.1, 0.5):
                    lists = drawn(heads, q_len, q_len + offset, share, seed=q_len)
                    check(kernels, inputs, lists)


def test_every_list_length(kernels):
    """Around the lengths at which the loading warp takes up the next places."""
    for dim in (64, 128):
        inputs = make(200, 200 + 5120, 4, 2, dim)
        for blocks in [*range(2, 12), *range(28, 37), *range(59, 69)]:
            check(kernels, inputs, of_length(4, 200, 200 + 5120, blocks), sampled=60)


def test_long_contexts(kernels):
    check(kernels, make(16384, 131072, 12, 2, 128), uneven(12, 16384, 131072), sampled=64)
    check(kernels, make(16384, 16384, 14, 2, 64), drawn(14, 16384, 16384, 0.1), sampled=64)
    check(kernels, make(1, 131073, 12, 2, 128), drawn(12, 1, 131073, 0.1))


def test_large_scores(kernels):
    for dim in (64, 128):
        query, key, value = make(300, 812, 12, 2, dim)
        check(kernels, (query * 40, key * 4, value), drawn(12, 300, 812, 0.5))


def test_all_blocks_are_dense(kernels):
    for dim in (64, 128):
        query, key, value = make(1500, 2652, 12, 2, dim)
        lists = full(12, 1500, 2652)
        sparse = run(kernels, query, key, value, lists).float()
        dense = kernels.dense_prefill(query, key, value, torch.empty_like(query)).float()
        error = (sparse - dense).norm() / dense.norm()
        assert error < 4e-3, f"relative difference {error:.2e}"
        check(kernels, (query, key, value), lists, sampled=200)


def test_pool_gives_the_same_bits(kernels):
    for dim in (64, 128):
        for i, (q_len, kv_len) in enumerate(
            [(1, 641), (128, 640), (100, 3044), (700, 700), (300, 1324)]
        ):
            heads, kv_heads = HEADS[i % len(HEADS)]
            query, key, value = make(q_len, kv_len, heads, kv_heads, dim, seed=kv_len)
            lists = drawn(heads, q_len, kv_len, 0.3)
            pool = in_pool(key, value, seed=kv_len)
            paged = run(kernels, query, pool[0], pool[1], lists, pool[2], kv_len=kv_len)
            plain = run(kernels, query, key, value, lists)
            check_same_bits(paged, plain, f"{q_len} queries, {kv_len} keys, head dim {dim}")


def test_same_bits_every_time(kernels):
    for dim, heads in ((64, 14), (128, 12)):
        query, key, value = make(3000, 5048, heads, 2, dim)
        lists = uneven(heads, 3000, 5048)
        first = run(kernels, query, key, value, lists)
        for i in range(20):
            check_same_bits(run(kernels, query, key, value, lists), first, f"run {i + 2}")


def test_chunks_give_the_same_bits(kernels):
    for dim, heads, kv_heads in ((64, 14, 2), (128, 12, 2), (64, 9, 3), (128, 8, 8)):
        query, key, value = make(2500, 2500, heads, kv_heads, dim)
        lists = drawn(heads, 2500, 2500, 0.3)
        whole = run(kernels, query, key, value, lists)
        for end, begin in ((2500, 2432), (2432, 1024), (1024, 640), (640, 128), (128, 0)):
            pool = in_pool(key[:end], value[:end], seed=end)
            tiles = begin // TILE_ROWS, math.ceil(end / TILE_ROWS)
            part = lists.tiles(*tiles, math.ceil(end / BLOCK_KEYS))
            rows = query[begin:end].contiguous()
            chunk = run(kernels, rows, pool[0], pool[1], part, pool[2], kv_len=end)
            check_same_bits(chunk, whole[begin:end], f"rows {begin} to {end}")


def test_unlisted_blocks_are_not_read(kernels):
    for dim in (64, 128):
        query, key, value = make(400, 3088, 12, 2, dim)
        lists = drawn(12, 400, 3088, 0.05)
        clean = run(kernels, query, key, value, lists)
        listed = lists.mask.view(2, 6, *lists.mask.shape[1:]).any(1).any(1)  # [KV heads, blocks]
        assert not listed.all(), "nothing to poison"
        keys = torch.arange(3088, device="cuda") // BLOCK_KEYS
        poisoned = ~listed[:, keys].T  # [keys, KV heads]
        key[poisoned], value[poisoned] = math.nan, math.nan
        check_same_bits(run(kernels, query, key, value, lists), clean, "with NaN in other blocks")


def test_later_keys_do_not_matter(kernels):
    query, key, value = make(500, 500, 12, 2, 128)
    lists = drawn(12, 500, 500, 0.5)
    before = run(kernels, query, key, value, lists)
    key[250:], value[250:] = 100.0, -100.0
    after = run(kernels, query, key, value, lists)
    check_same_bits(after[:250], before[:250], "the first 250 rows")


def test_nothing_behind_the_keys_is_read(kernels):
    for dim in (64, 128):
        query, key, value = make(172, 300, 12, 2, dim)
        lists = full(12, 172, 300)
        clean = run(kernels, query, key, value, lists)
        key, value = (torch.cat([x, torch.full_like(x, math.nan)]) for x in (key, value))
        check_same_bits(
            run(kernels, query, key, value, lists, kv_len=300), clean, "with NaN behind"
        )


def test_nan_stays_in_its_row(kernels):
    query, key, value = make(200, 456, 12, 2, 128)
    query[77, 3] = math.nan
    bad = run(kernels, query, key, value, drawn(12, 200, 456, 0.5)).isnan().all(-1)
    assert bad.sum() == 1 and bad[77, 3]


def test_calls_of_other_sizes_do_not_disturb(kernels):
    """The counter that hands out tiles must be back at its start after each call."""
    small, large = make(100, 228, 8, 2, 128), make(3000, 3000, 12, 2, 128)
    lists = drawn(8, 100, 228, 0.5), drawn(12, 3000, 3000, 0.2)
    first = run(kernels, *small, lists[0])
    for _ in range(3):
        run(kernels, *large, lists[1])
        check_same_bits(run(kernels, *small, lists[0]), first, "after a larger call")


def test_no_queries_is_no_work(kernels):
    query, key, value = make(0, 10, 12, 2, 128)
    kernels.sparse_prefill(query, key, value, query.clone(), Lists(torch.ones(12, 1, 1).bool()))


def test_bad_input_is_refused(kernels):
    query, key, value = make(8, 136, 12, 2, 128)
    lists = full(12, 8, 136)
    output = torch.empty_like(query)
    cases = {
        "head_dim 96": ({"head_dim": 96}, {}),
        "137 queries over 136 keys": ({"q_len": 137}, {}),
        "key is null": ({"key": 0}, {}),
        "a pool of 0 blocks": ({"block_table": output.data_ptr(), "pool_blocks": 0}, {}),
        "129 keys before the first query": ({"q_len": 7}, {}),
        "2 tiles of lists for 8 queries": ({}, {"tiles": 2}),
        "lists of 4 blocks for 136 keys": ({}, {"max_blocks": 4}),
        "lists of 0 blocks for 136 keys": ({}, {"max_blocks": 0}),
        "blocks is null": ({}, {"blocks": 0}),
        "counts is not aligned": ({}, {"counts": lists.counts.data_ptr() + 2}),
        "4194312 keys have more blocks": (
            {"kv_len": 65536 * 64 + 8},
            {"max_blocks": 65544},
        ),
    }
    for expected, (params, in_lists) in cases.items():
        check_refused(
            lambda: kernels.sparse_prefill(
                query, key, value, output, lists.params(**in_lists), **params
            ),
            expected,
        )


def test_more_tiles_than_it_was_made_for(kernels):
    few = SparseKernels(kernels.path, max_query_tiles=11)
    query, key, value = make(8, 8, 12, 2, 128)
    check_refused(
        lambda: few.sparse_prefill(query, key, value, torch.empty_like(query), full(12, 8, 8)),
        "12 query tiles, made for 11",
    )
    few.close()
    check_refused(lambda: SparseKernels(kernels.path, max_query_tiles=0), "0 query tiles")
