"""Checks the dense prefill kernel on a GPU: python3 test/kernels/attention_test.py LIBRARY

An output may be off by twice what torch's own bf16 attention is off, against fp64 (the rule of
FlashAttention-3's tests), plus what rounding the exact result to bf16 costs.
"""

import math
import sys
import traceback

import torch

from attention_kernels import AttentionKernels, KernelError, exact_rows, torch_rows

HEADS = [(12, 2), (14, 2), (8, 8), (8, 2), (8, 1)]  # groups of 6, 7, 1, 4, 8
TILE_EDGES = [1, 2, 63, 64, 65, 127, 128, 129, 159, 160, 161, 191, 192, 193, 319, 321, 640]
SENTINEL = 1234.0


def make(q_len, kv_len, heads, kv_heads, dim, seed=0):
    generator = torch.Generator("cuda").manual_seed(seed)
    draw = lambda *shape: torch.randn(*shape, generator=generator, device="cuda").bfloat16()
    return draw(q_len, heads, dim), draw(kv_len, kv_heads, dim), draw(kv_len, kv_heads, dim)


def poisoned(query):
    """An output full of NaN between two guard rows; returns (whole, output)."""
    whole = torch.full((query.shape[0] + 2, *query.shape[1:]), SENTINEL).to(query)
    whole[1:-1] = math.nan
    return whole, whole[1:-1]


def run(kernels, query, key, value):
    whole, output = poisoned(query)
    kernels.dense_prefill(query, key, value, output)
    torch.cuda.synchronize()
    assert (whole[0] == SENTINEL).all() and (whole[-1] == SENTINEL).all(), (
        "wrote outside the output"
    )
    return output


def compare(kernels, query, key, value, rows):
    output = run(kernels, query, key, value)
    assert not output.isnan().any(), "an element was not written"
    exact = exact_rows(query, key, value, rows)
    ours = (output[rows].double() - exact).abs().max().item()
    torchs = (torch_rows(query, key, value, rows).double() - exact).abs().max().item()
    rounding = (exact.bfloat16().double() - exact).abs().max().item()
    shape = f"query {[*query.shape]}, key {[*key.shape]}"
    assert ours <= 2 * torchs + rounding, f"{shape}: error {ours:.2e}, torch's {torchs:.2e}"


def check(kernels, q_len, kv_len, heads, kv_heads, dim, sampled=None):
    rows = torch.arange(q_len, device="cuda")
    if sampled and q_len > sampled:
        edges = torch.tensor([0, 1, q_len - 2, q_len - 1], device="cuda")
        rows = torch.cat([rows[torch.randperm(q_len, device="cuda")[:sampled]], edges])
    tensors = make(q_len, kv_len, heads, kv_heads, dim, seed=q_len + kv_len)
    compare(kernels, *tensors, rows)


def test_oracle_agrees_with_fp64(kernels):
    for dim in (64, 128):
        query, key, value = make(37, 101, 6, 2, dim)
        exact = exact_rows(query, key, value, torch.arange(37, device="cuda")).cpu()
        oracle = kernels.reference(query.float().cpu(), key.float().cpu(), value.float().cpu())
        assert (oracle.double() - exact).abs().max() < 1e-6


def test_kernel_agrees_with_oracle(kernels):
    for dim in (64, 128):
        query, key, value = make(130, 300, 6, 2, dim)
        oracle = kernels.reference(query.float().cpu(), key.float().cpu(), value.float().cpu())
        error = (run(kernels, query, key, value).float().cpu() - oracle).norm() / oracle.norm()
        assert error < 4e-3, f"relative error {error:.2e}"  # bf16 rounds at 2^-9


def test_tile_edges(kernels):
    for dim in (64, 128):
        for length in TILE_EDGES:
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
    check(kernels, 1, 131073, 12, 2, 128)


def test_large_scores(kernels):
    for dim in (64, 128):
        query, key, value = make(300, 700, 12, 2, dim)
        compare(kernels, query * 40, key * 4, value, torch.arange(300, device="cuda"))


def test_same_bits_every_time(kernels):
    for dim, heads in ((64, 14), (128, 12)):
        query, key, value = make(3000, 5000, heads, 2, dim)
        first = run(kernels, query, key, value).clone()
        for _ in range(20):
            assert torch.equal(run(kernels, query, key, value), first)


def test_chunks_give_the_same_bits(kernels):
    for dim, heads in ((64, 14), (128, 12)):
        query, key, value = make(2500, 2500, heads, 2, dim)
        whole = run(kernels, query, key, value).clone()
        for end, begin in ((2500, 2496), (2496, 1024), (1024, 0)):
            chunk = run(kernels, query[begin:end].contiguous(), key[:end], value[:end])
            assert torch.equal(chunk, whole[begin:end]), f"rows {begin} to {end} differ"


def test_later_keys_do_not_matter(kernels):
    query, key, value = make(500, 500, 12, 2, 128)
    before = run(kernels, query, key, value).clone()
    key[250:], value[250:] = 100.0, -100.0
    assert torch.equal(run(kernels, query, key, value)[:250], before[:250])


def test_nothing_behind_the_keys_is_read(kernels):
    for dim in (64, 128):
        query, key, value = make(200, 333, 12, 2, dim)
        clean = run(kernels, query, key[:300].clone(), value[:300].clone()).clone()
        key[300:], value[300:] = math.nan, math.nan
        assert torch.equal(run(kernels, query, key[:300], value[:300]), clean)


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
    cases = {
        "head_dim 96": {"head_dim": 96},
        "12 heads over 5 KV heads": {"num_kv_heads": 5},
        "17 queries over 16 keys": {"q_len": 17},
        "-1 queries": {"q_len": -1},
        "softmax_scale": {"softmax_scale": 0.0},
        "key is null": {"key": 0},
        "output is not aligned": {"output": query.data_ptr() + 2},
    }
    for expected, overrides in cases.items():
        try:
            kernels.dense_prefill(query, key, value, torch.empty_like(query), **overrides)
        except KernelError as error:
            assert expected in str(error), f"{error} does not say {expected}"
        else:
            raise AssertionError(f"accepted: {expected}")


def run_all(kernels):
    """Runs every test; returns the names of those that failed."""
    tests = {name: test for name, test in globals().items() if name.startswith("test_")}
    failed = []
    for name, test in tests.items():
        try:
            test(kernels)
            print(f"ok    {name}", flush=True)
        except Exception:
            failed.append(name)
            print(f"FAIL  {name}\n{traceback.format_exc(limit=3)}", flush=True)
    print(f"{len(tests) - len(failed)} passed, {len(failed)} failed", flush=True)
    return failed


if __name__ == "__main__":
    owned = AttentionKernels(sys.argv[1])
    failures = run_all(owned)
    owned.close()
    sys.exit(1 if failures else 0)
