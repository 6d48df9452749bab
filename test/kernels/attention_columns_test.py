"""Checks gathered columns in one kernel of sparse prefill on a GPU; attention_test.py runs this for
each kernel."""

import math

import torch

from attention_sparse_kernels import BLOCK_KEYS, TILE_ROWS, Lists, visible_blocks
from attention_sparse_test import HEADS, key_mask
from attention_testing import Poisoned, check_errors, check_refused, check_same_bits, in_pool, make


def windows(heads, q_len, kv_len, blocks):
    """The last `blocks` blocks before each tile, more for each head, and the tile's own."""
    seen, own = visible_blocks(q_len, kv_len)
    behind = (seen & ~own).flip(-1).cumsum(-1).flip(-1)
    width = blocks + torch.arange(heads, device="cuda")[:, None, None]
    return Lists(seen & (own | (behind <= width)))


def drawn_positions(heads, kv_len, share):
    """Columns: ascending positions, none for the last head."""
    generator = torch.Generator("cuda").manual_seed(kv_len)
    lucky = torch.rand(heads, kv_len, generator=generator, device="cuda") < share
    lucky[-1] = False
    return [each.nonzero().flatten().int() for each in lucky]


def with_columns(mask, lists, positions, rows):
    """`mask`, and each head's columns before the first block of a row's list."""
    first_block = lists.mask.int().argmax(-1)[:, rows // TILE_ROWS]  # [heads, len(rows)]
    columns = torch.zeros(mask.shape[0], mask.shape[2], device="cuda", dtype=torch.bool)
    for head, each in enumerate(positions):
        columns[head, each.long()] = True
    keys = torch.arange(mask.shape[2], device="cuda")
    return mask | (columns[:, None] & (keys < first_block[:, :, None] * BLOCK_KEYS))


def run(kernels, query, key, value, lists, columns, block_table=None, **overrides):
    output = Poisoned(*query.shape)
    kernels.sparse_prefill(
        query, key, value, output.tensor, lists, block_table, columns, **overrides
    )
    output.check_guards()
    assert not output.tensor.isnan().any(), "an element was not written"
    return output.tensor


def check_columns(kernels, inputs, window, share, sampled=100):
    query, key, value = inputs
    q_len, kv_len, heads = query.shape[0], key.shape[0], query.shape[1]
    lists = windows(heads, q_len, kv_len, window)
    positions = drawn_positions(heads, kv_len, share)
    columns, tensors = kernels.gather_columns(query, key, value, lists, positions)
    assert (tensors[2] >= 0).all(), "a tile's columns were not counted"
    output = run(kernels, query, key, value, lists, columns)
    rows = torch.randperm(q_len, device="cuda")[:sampled]
    mask = with_columns(key_mask(lists, rows, q_len, kv_len), lists, positions, rows)
    check_errors(output[rows], query, key, value, rows, mask)


def test_columns(kernels):
    for dim in (64, 128):
        for i, (q_len, offset) in enumerate([(1, 640), (200, 0), (130, 1280), (300, 5120)]):
            heads, kv_heads = HEADS[i % len(HEADS)]
            inputs = make(q_len, q_len + offset, heads, kv_heads, dim, seed=offset)
            for window, share in ((0, 0.02), (3, 0.2), (8, 0.5)):
                check_columns(kernels, inputs, window, share)


def test_a_window_and_all_columns_are_dense(kernels):
    query, key, value = make(300, 1324, 12, 2, 128)
    lists = windows(12, 300, 1324, 2)
    positions = [torch.arange(1324, device="cuda", dtype=torch.int32)] * 12
    columns, _tensors = kernels.gather_columns(query, key, value, lists, positions)
    sparse = run(kernels, query, key, value, lists, columns).float()
    dense = kernels.dense_prefill(query, key, value, torch.empty_like(query)).float()
    error = (sparse - dense).norm() / dense.norm()
    assert error < 4e-3, f"relative difference {error:.2e}"


def test_columns_from_a_pool_and_in_chunks_give_the_same_bits(kernels):
    for dim, heads, kv_heads in ((64, 14, 2), (128, 9, 3)):
        query, key, value = make(1500, 1500, heads, kv_heads, dim)
        lists = windows(heads, 1500, 1500, 4)
        positions = drawn_positions(heads, 1500, 0.1)
        columns, _tensors = kernels.gather_columns(query, key, value, lists, positions)
        whole = run(kernels, query, key, value, lists, columns)
        for end, begin in ((1500, 1024), (1024, 0)):
            *pools, table = in_pool(key[:end], value[:end], seed=end)
            tiles = begin // TILE_ROWS, math.ceil(end / TILE_ROWS)
            part = lists.tiles(*tiles, math.ceil(end / BLOCK_KEYS))
            rows = query[begin:end].contiguous()
            seen = [each[each < end] for each in positions]
            columns, _tensors = kernels.gather_columns(rows, *pools, part, seen, table, kv_len=end)
            chunk = run(kernels, rows, *pools, part, columns, table, kv_len=end)
            check_same_bits(chunk, whole[begin:end], f"rows {begin} to {end}")


def test_bad_columns_are_refused(kernels):
    query, key, value = make(8, 136, 12, 2, 128)
    lists = windows(12, 8, 136, 0)
    positions = drawn_positions(12, 128, 0.3)
    columns, _tensors = kernels.gather_columns(query, key, value, lists, positions)
    columns.capacity = 65
    check_refused(
        lambda: run(kernels, query, key, value, lists, columns), "a capacity of 65 columns"
    )
    columns.capacity, columns.value = 64, 0
    check_refused(lambda: run(kernels, query, key, value, lists, columns), "gathered value is null")
    check_refused(
        lambda: kernels.gather_columns(query, key, value, lists, positions, head_dim=80),
        "head_dim 80",
    )
