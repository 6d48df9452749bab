"""What the tests of dequantisation and of the decoder's operations share."""

import math

import torch

from ops_kernels import LAYOUTS, Format

GUARD = 64  # elements on either side; keeps 16-byte alignment
SENTINEL = 1234.0


def draw(*shape, seed=0, dtype=torch.bfloat16, scale=1.0):
    generator = torch.Generator("cuda").manual_seed(seed)
    return (torch.randn(*shape, generator=generator, device="cuda") * scale).to(dtype)


class Poisoned:
    """A tensor full of NaN between two guards."""

    def __init__(self, *shape, dtype=torch.bfloat16):
        count = math.prod(shape)
        self.whole = torch.full((count + 2 * GUARD,), SENTINEL, device="cuda", dtype=dtype)
        self.tensor = self.whole[GUARD : GUARD + count].view(*shape)
        self.tensor.fill_(math.nan)

    def written(self, expect_nan=False):
        """The tensor, after checking that all of it and nothing else was written."""
        torch.cuda.synchronize()
        guards = torch.cat([self.whole[:GUARD], self.whole[-GUARD:]])
        assert (guards == SENTINEL).all(), "wrote outside the output"
        if not expect_nan:
            bad = self.tensor.isnan().flatten().nonzero()
            assert len(bad) == 0, f"{len(bad)} elements are NaN, the first at {bad[0].item()}"
        return self.tensor


def random_blocks(kind, elements, seed=0):
    """Bytes on the CPU: any codes, finite halves of either sign, some subnormal or zero."""
    block_elements, block_bytes, halves = LAYOUTS[kind]
    generator = torch.Generator().manual_seed(seed)
    count = elements // block_elements
    if kind in (Format.F32, Format.BF16):
        dtype = torch.float32 if kind == Format.F32 else torch.bfloat16
        return torch.randn(elements, generator=generator).to(dtype).view(torch.uint8)
    blocks = torch.randint(0, 256, (count, block_bytes), generator=generator, dtype=torch.uint8)
    for at in halves:
        # Scales of sane size; a few are tiny.
        half = torch.randn(count, generator=generator) * 0.01
        half[::97] *= 1e-5
        half[50::101] = 0.0
        blocks[:, at : at + 2] = half.half().view(-1, 1).view(torch.uint8)
    return blocks.flatten()


def padded_to_16(data):
    """On the GPU, readable up to the next multiple of 16."""
    whole = torch.zeros((len(data) + 15) // 16 * 16, dtype=torch.uint8, device="cuda")
    whole[: len(data)] = data.to("cuda")
    return whole


def assert_close(what, ours, torchs, exact):
    """The rule of FlashAttention-3's tests, and what rounding the exact result costs."""
    exact = exact.double()
    error = (ours.double() - exact).abs()
    allowed = 2 * (torchs.double() - exact).abs().max() + (
        (exact.to(ours.dtype).double() - exact).abs().max()
    )
    worst = error.max().item()
    if not worst <= allowed.item():
        first = (error > allowed).flatten().nonzero()[0].item()
        raise AssertionError(
            f"{what}: error {worst:.3e}, allowed {allowed.item():.3e}, first bad element {first}"
        )


def assert_same(what, ours, expected):
    if torch.equal(ours, expected):
        return
    bad = (ours != expected).flatten().nonzero()
    first = bad[0].item() if len(bad) else -1
    raise AssertionError(
        f"{what}: {len(bad)} elements differ, the first at {first}: "
        f"{ours.flatten()[first].item()}, not {expected.flatten()[first].item()}"
    )
