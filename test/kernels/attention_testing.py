"""What the tests of the attention kernels share: inputs, poison, the rule for errors.

An output may be off by twice what torch's own bf16 attention is off, against fp64 (the rule of
FlashAttention-3's tests), plus what rounding the exact result to bf16 costs.
"""

import math

import torch

from attention_kernels import KV_BLOCK_TOKENS, KernelError, exact_rows, torch_rows

GUARD = 64  # elements on either side; keeps 16-byte alignment
SENTINEL = 1234.0


def make(q_len, kv_len, heads, kv_heads, dim, seed=0):
    generator = torch.Generator("cuda").manual_seed(seed)
    draw = lambda *shape: torch.randn(*shape, generator=generator, device="cuda").bfloat16()
    return draw(q_len, heads, dim), draw(kv_len, kv_heads, dim), draw(kv_len, kv_heads, dim)


class Poisoned:
    """A tensor full of NaN between two guards."""

    def __init__(self, *shape, dtype=torch.bfloat16):
        count = math.prod(shape)
        self._whole = torch.full((count + 2 * GUARD,), SENTINEL, device="cuda", dtype=dtype)
        self.tensor = self._whole[GUARD : GUARD + count].view(*shape)
        self.tensor.fill_(math.nan)

    def check_guards(self):
        torch.cuda.synchronize()
        guards = torch.cat([self._whole[:GUARD], self._whole[-GUARD:]])
        assert (guards == SENTINEL).all(), "wrote outside its memory"


def in_pool(key, value, spare_blocks=3, seed=1):
    """The same keys and values in shuffled blocks of two pools; returns pools and block table. All
    that is no token is NaN, and an entry that must not be followed ends the table."""
    generator = torch.Generator("cuda").manual_seed(seed)
    tokens = key.shape[0]
    blocks = math.ceil(tokens / KV_BLOCK_TOKENS)
    pool_blocks = blocks + spare_blocks
    order = torch.randperm(pool_blocks, generator=generator, device="cuda")[:blocks]
    pools = []
    for tensor in (key, value):
        padded = tensor.new_full((blocks * KV_BLOCK_TOKENS, *tensor.shape[1:]), math.nan)
        padded[:tokens] = tensor
        pool = tensor.new_full((pool_blocks, KV_BLOCK_TOKENS, *tensor.shape[1:]), math.nan)
        pool[order] = padded.view(blocks, KV_BLOCK_TOKENS, *tensor.shape[1:])
        pools.append(pool.view(-1, *tensor.shape[1:]))
    table = torch.cat([order, order.new_tensor([2**30])]).int()
    return pools[0], pools[1], table


def check_errors(output, query, key, value, rows, mask=None):
    """Rows `rows` of the query against what attention may be off; output [len(rows), heads, dim].
    `mask` as in exact_rows."""
    exact = exact_rows(query, key, value, rows, mask)
    errors = (output.double() - exact).abs()
    errors = errors.nan_to_num(nan=math.inf)
    ours = errors.max().item()
    torchs = (torch_rows(query, key, value, rows, mask).double() - exact).abs().max().item()
    rounding = (exact.bfloat16().double() - exact).abs().max().item()
    worst = [int(i) for i in torch.unravel_index(errors.argmax(), errors.shape)]
    shape = f"query {[*query.shape]}, key {[*key.shape]}"
    assert ours <= 2 * torchs + rounding, (
        f"{shape}: error {ours:.2e} at row, head, column {worst}; torch's {torchs:.2e}"
    )


def check_same_bits(actual, expected, what):
    different = (actual.view(torch.int16) != expected.view(torch.int16)).flatten().nonzero()
    assert len(different) == 0, (
        f"{what}: {len(different)} of {actual.numel()} elements differ, the first at "
        f"{different[0].item()}: {actual.flatten()[different[0]].item()}, not "
        f"{expected.flatten()[different[0]].item()}"
    )


def check_refused(call, expected):
    """`call` must raise a KernelError whose text contains `expected`."""
    try:
        call()
    except KernelError as error:
        assert expected in str(error), f"{error} does not say {expected}"
    else:
        raise AssertionError(f"accepted: {expected}")
