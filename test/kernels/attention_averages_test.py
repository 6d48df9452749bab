"""Checks averages of dropped blocks in one kernel of sparse prefill on a GPU; attention_test.py runs
this for each kernel."""

import math

import torch

from attention_sparse_kernels import BLOCK_KEYS, TILE_ROWS
from attention_sparse_test import HEADS, diagonal, drawn, full, key_mask, run as run_without, uneven
from attention_testing import Poisoned, check_refused, check_same_bits, in_pool, make


def run(kernels, query, key, value, lists, block_table=None, **overrides):
    averages, tensors = kernels.average_blocks(query, key, value, lists, block_table, **overrides)
    output = Poisoned(*query.shape)
    kernels.sparse_prefill_averages(
        query, key, value, output.tensor, lists, averages, block_table, **overrides
    )
    output.check_guards()
    assert not output.tensor.isnan().any(), "an element was not written"
    return output.tensor


def means_of(tensor):
    """Means of the whole blocks of keys or values, in fp64."""
    whole = tensor[: tensor.shape[0] // BLOCK_KEYS * BLOCK_KEYS].double()
    return whole.unflatten(0, (-1, BLOCK_KEYS)).mean(1)


def biases(lists, rows, q_len, kv_len):
    """[heads, len(rows), kv_len + whole blocks]: what is added to a scaled score."""
    seen = key_mask(lists, rows, q_len, kv_len)
    starts = torch.arange(kv_len // BLOCK_KEYS, device="cuda") * BLOCK_KEYS
    tiles = rows // TILE_ROWS
    before = starts[None, :] < (kv_len - q_len) + tiles[:, None] * TILE_ROWS
    dropped = before & ~lists.mask[:, tiles][:, :, : len(starts)]
    hidden = -math.inf
    keys = torch.where(seen, 0.0, hidden)
    means = torch.where(dropped, math.log(BLOCK_KEYS), hidden)
    return torch.cat([keys, means], -1)


def check(kernels, inputs, lists, sampled=100):
    query, key, value = inputs
    q_len, kv_len, group = query.shape[0], key.shape[0], query.shape[1] // key.shape[1]
    rows = torch.randperm(q_len, device="cuda")[:sampled]
    bias = biases(lists, rows, q_len, kv_len)
    means = means_of(key), means_of(value)
    keys, values = (torch.cat([x.double(), mean]) for x, mean in zip((key, value), means))
    exact = []
    for head in range(query.shape[1]):
        scores = query[rows, head].double() @ keys[:, head // group].T / math.sqrt(query.shape[2])
        exact.append((scores + bias[head]).softmax(-1) @ values[:, head // group])
    exact = torch.stack(exact, 1)
    heads_first = lambda x: x.bfloat16().transpose(0, 1)[None]
    torchs = torch.nn.functional.scaled_dot_product_attention(
        heads_first(query[rows]),
        heads_first(keys.repeat_interleave(group, 1)),
        heads_first(values.repeat_interleave(group, 1)),
        attn_mask=bias.bfloat16(),
    )[0].transpose(0, 1)
    error_of = lambda x: (x.double() - exact).abs().nan_to_num(nan=math.inf).max().item()
    ours = error_of(run(kernels, query, key, value, lists)[rows])
    allowed = 2 * error_of(torchs) + error_of(exact.bfloat16())
    assert ours <= allowed, (
        f"query {[*query.shape]}, key {[*key.shape]}: {ours:.2e}, not {allowed:.2e}"
    )


def test_averages_and_bits(kernels):
    query, key, value = make(200, 840, 6, 2, 128)
    lists = drawn(6, 200, 840, 0.4)
    _, (mean_key, mean_value, dropped) = kernels.average_blocks(query, key, value, lists)
    for mean, tensor in ((mean_key, key), (mean_value, value)):
        assert (mean[:13].double() - means_of(tensor)).abs().max() < 2e-3  # of about 1 / 8
        assert not mean.isnan().any(), "the last block has no average"
    blocks = torch.arange(lists.mask.shape[2], device="cuda")
    before = blocks * BLOCK_KEYS < 640 + torch.arange(2, device="cuda")[:, None] * TILE_ROWS
    bits = dropped[:, :, blocks // 32] >> blocks % 32 & 1
    assert (bits.bool() == (before & ~lists.mask)).all()
    assert (dropped.view(6, 2, -1)[:, :, 1:] == 0).all(), "bits of blocks that are not there"


def test_oracle(kernels):
    for dim in (64, 128):
        query, key, value = make(200, 1352, 6, 2, dim)
        lists = drawn(6, 200, 1352, 0.3)
        on_cpu = (x.float().cpu() for x in (query, key, value))
        oracle = kernels.sparse_reference(*on_cpu, lists.cpu(), average_dropped=True)
        ours = run(kernels, query, key, value, lists).float().cpu()
        error = (ours - oracle).norm() / oracle.norm()
        assert error < 6e-3, f"relative error {error:.2e}"  # keys and values are rounded once more


def test_shapes(kernels):
    for dim in (64, 128):
        for i, (q_len, offset) in enumerate(
            [(1, 0), (1, 640), (200, 0), (130, 1280), (300, 8192), (128, 24704)]
        ):
            heads, kv_heads = HEADS[i % len(HEADS)]
            inputs = make(q_len, q_len + offset, heads, kv_heads, dim, seed=offset)
            for lists in (diagonal, uneven):
                check(kernels, inputs, lists(heads, q_len, q_len + offset))
            check(kernels, inputs, drawn(heads, q_len, q_len + offset, 0.3))


def test_equal_keys_are_averaged_exactly(kernels):
    """Where a block's keys and values are alike, its average is as good as all of them."""
    query, key, value = make(300, 1580, 12, 2, 128)
    alike = torch.arange(1580, device="cuda") // BLOCK_KEYS * BLOCK_KEYS
    key, value = key[alike].contiguous(), value[alike].contiguous()
    averaged = run(kernels, query, key, value, drawn(12, 300, 1580, 0.3)).float()
    dense = kernels.dense_prefill(query, key, value, torch.empty_like(query)).float()
    error = (averaged - dense).norm() / dense.norm()
    assert error < 5e-3, f"relative difference {error:.2e}"


def test_nothing_dropped_changes_nothing(kernels):
    """But the last bit, perhaps: a tile that counts for nothing is a step of the online softmax, too."""
    for dim in (64, 128):
        query, key, value = make(300, 1324, 12, 2, dim)
        lists = full(12, 300, 1324)
        plain = run_without(kernels, query, key, value, lists).float()
        error = (run(kernels, query, key, value, lists).float() - plain).norm() / plain.norm()
        assert error < 1e-3, f"relative difference {error:.2e}"


def test_pools_and_chunks_give_the_same_bits(kernels):
    for dim, heads, kv_heads in ((64, 14, 2), (128, 9, 3)):
        query, key, value = make(1500, 1500, heads, kv_heads, dim)
        lists = drawn(heads, 1500, 1500, 0.2)
        whole = run(kernels, query, key, value, lists)
        for end, begin in ((1500, 1024), (1024, 0)):
            *pools, table = in_pool(key[:end], value[:end], seed=end)
            tiles = begin // TILE_ROWS, math.ceil(end / TILE_ROWS)
            part = lists.tiles(*tiles, math.ceil(end / BLOCK_KEYS))
            rows = query[begin:end].contiguous()
            chunk = run(kernels, rows, *pools, part, table, kv_len=end)
            check_same_bits(chunk, whole[begin:end], f"rows {begin} to {end}")


def test_bad_averages_are_refused(kernels):
    query, key, value = make(8, 136, 12, 2, 128)
    lists = full(12, 8, 136)
    averages, _tensors = kernels.average_blocks(query, key, value, lists)
    averages.value = 0
    check_refused(
        lambda: kernels.sparse_prefill_averages(
            query, key, value, torch.empty_like(query), lists, averages
        ),
        "average value is null",
    )
