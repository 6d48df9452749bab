"""Checks the linear layers' products on a GPU: python3 test/kernels/gemm_test.py LIBRARY [--only TEXT]

Runs all tests with the fastest kernel of the device and with the portable one. --only takes those whose
name, as printed, contains the text.
"""

import math
from contextlib import closing

import torch

from gemm_kernels import BIAS, NONE, RESIDUAL, SWIGLU, SWIGLU_ROW_BLOCK, GemmKernels, KernelError
from suite_runner import main, run_suites

EPILOGUES = {"none": NONE, "bias": BIAS, "residual": RESIDUAL, "swiglu": SWIGLU}
GUARD = 256  # elements on either side of an output
SENTINEL = 1234.0


def draw(*shape, seed, scale=1.0, dtype=torch.bfloat16):
    generator = torch.Generator("cuda").manual_seed(seed)
    return (torch.randn(*shape, generator=generator, device="cuda") * scale).to(dtype)


def make(tokens, in_features, out_features, epilogue, seed=0):
    """activations, weights, bias, residual"""
    return (
        draw(tokens, in_features, seed=seed),
        draw(out_features, in_features, seed=seed + 1, scale=in_features**-0.5),
        draw(out_features, seed=seed + 2, dtype=torch.float32) if epilogue == BIAS else None,
        draw(tokens, out_features, seed=seed + 3) if epilogue == RESIDUAL else None,
    )


def turns(product):
    """Gates and ups of a SwiGLU product."""
    blocks = product.unflatten(-1, (-1, 2, SWIGLU_ROW_BLOCK))
    return blocks[..., 0, :].flatten(-2), blocks[..., 1, :].flatten(-2)


def finished(product, epilogue, bias, residual):
    """The epilogue in the type of `product`, by torch."""
    if epilogue == BIAS:
        return product + bias.to(product.dtype)
    if epilogue == RESIDUAL:
        return product + residual
    if epilogue == SWIGLU:
        gates, ups = turns(product)
        return torch.nn.functional.silu(gates) * ups
    return product


def plain(activations, weights, epilogue, bias, residual):
    """In the type of `activations`, by torch."""
    return finished(activations @ weights.T, epilogue, bias, residual)


def exact(activations, weights, epilogue, bias, residual):
    wide = [None if x is None else x.double() for x in (activations, weights, bias, residual)]
    return plain(wide[0], wide[1], epilogue, wide[2], wide[3])


class PoisonedOutput:
    """A bf16 tensor full of NaN between two guards."""

    def __init__(self, tokens, columns):
        count = tokens * columns
        self._whole = torch.full(
            (count + 2 * GUARD,), SENTINEL, device="cuda", dtype=torch.bfloat16
        )
        self.tensor = self._whole[GUARD : GUARD + count].view(-1, columns)
        self.tensor.fill_(math.nan)

    def written(self):
        """The tensor, after checking that nothing else was written."""
        torch.cuda.synchronize()
        guards = torch.cat([self._whole[:GUARD], self._whole[-GUARD:]])
        assert (guards == SENTINEL).all(), "wrote outside the output"
        return self.tensor


def run(kernels, inputs, epilogue, **overrides):
    activations, weights, bias, residual = inputs
    columns = weights.shape[0] // (2 if epilogue == SWIGLU else 1)
    output = PoisonedOutput(activations.shape[0], columns)
    kernels.gemm(activations, weights, output.tensor, epilogue, bias, residual, **overrides)
    return output.written()


def check(kernels, tokens, in_features, out_features, epilogue):
    inputs = make(tokens, in_features, out_features, epilogue)
    output = run(kernels, inputs, epilogue)
    activations, weights, bias, residual = inputs
    expected = exact(activations, weights, epilogue, bias, residual)
    errors = (output.double() - expected).abs().nan_to_num(nan=math.inf)
    torchs = (plain(activations, weights, epilogue, bias, residual).double() - expected).abs().max()
    rounding = (expected.bfloat16().double() - expected).abs().max()
    worst = [int(i) for i in torch.unravel_index(errors.argmax(), errors.shape)]
    assert errors.max() <= 2 * torchs + rounding, (
        f"{tokens} x {in_features} x {out_features}: error {errors.max():.2e} at {worst}; "
        f"torch's {torchs:.2e}"
    )


def test_against_the_oracle(kernels):
    for epilogue in EPILOGUES.values():
        inputs = make(5, 128, 256, epilogue)
        output = run(kernels, inputs, epilogue).float().cpu()
        activations, weights, bias, residual = (
            None if x is None else x.float().cpu() for x in inputs
        )
        oracle = kernels.reference(activations, weights, epilogue, bias, residual)
        difference = (output - oracle).abs().max().item()
        assert difference <= oracle.abs().max().item() * 2**-8, f"{epilogue}: {difference}"


def test_rows_around_tiles(kernels):
    for tokens in (1, 2, 63, 64, 65, 127, 128, 129, 255, 256, 257, 1000):
        for epilogue in EPILOGUES.values():
            check(kernels, tokens, 192, 384, epilogue)


def test_feature_counts(kernels):
    for in_features in (64, 128, 576, 896, 1536, 8960):
        for out_features in (128, 384, 1152, 1536):
            check(kernels, 130, in_features, out_features, RESIDUAL)
            check(kernels, 130, in_features, out_features, SWIGLU)
    check(kernels, 130, 64, 64, BIAS)
    check(kernels, 130, 64, 192, NONE)


def test_shapes_of_real_models(kernels):
    for tokens in (300, 4096):
        for hidden, qkv, feed_forward in ((1536, 2048, 8960), (896, 1152, 4864), (576, 960, 1536)):
            check(kernels, tokens, hidden, qkv, BIAS)
            check(kernels, tokens, hidden, hidden, RESIDUAL)
            check(kernels, tokens, hidden, 2 * feed_forward, SWIGLU)
            check(kernels, tokens, feed_forward, hidden, RESIDUAL)


def test_residual_in_place(kernels):
    activations, weights, _, residual = make(700, 576, 1536, RESIDUAL)
    expected = run(kernels, (activations, weights, None, residual), RESIDUAL)
    kernels.gemm(activations, weights, residual, RESIDUAL, None, residual)
    assert torch.equal(residual.view(torch.int16), expected.view(torch.int16))


def test_rows_do_not_depend_on_their_company(kernels):
    for epilogue in EPILOGUES.values():
        activations, weights, bias, residual = make(1111, 896, 1152, epilogue)
        whole = run(kernels, (activations, weights, bias, residual), epilogue)
        for start, end in ((0, 1), (0, 500), (500, 1111), (1110, 1111)):
            part = residual[start:end].contiguous() if residual is not None else None
            inputs = (activations[start:end].contiguous(), weights, bias, part)
            output = run(kernels, inputs, epilogue)
            same = torch.equal(output.view(torch.int16), whole[start:end].view(torch.int16))
            assert same, f"rows {start} to {end}, epilogue {epilogue}"


def test_repeatable(kernels):
    inputs = make(3000, 1536, 2048, BIAS)
    first = run(kernels, inputs, BIAS)
    for _ in range(20):
        assert torch.equal(run(kernels, inputs, BIAS).view(torch.int16), first.view(torch.int16))


def test_rows_behind_the_input_are_not_read(kernels):
    activations, weights, _, _ = make(200, 192, 384, NONE)
    activations[130:] = math.nan
    weights[256:] = math.nan
    output = run(kernels, (activations[:130], weights[:256], None, None), NONE)
    assert output.isfinite().all()


def test_no_tokens_do_nothing(kernels):
    assert run(kernels, make(0, 128, 128, NONE), NONE).numel() == 0


def test_refuses_what_it_cannot_do(kernels):
    activations, weights, _, _ = make(4, 128, 128, NONE)
    output = torch.empty(4, 128, device="cuda", dtype=torch.bfloat16)
    for overrides, expected in (
        ({"in_features": 100}, "in_features is 100"),
        ({"out_features": 0}, "out_features is 0"),
        ({"tokens": -1}, "-1 tokens"),
        ({"epilogue": SWIGLU, "out_features": 64}, "multiple of 128"),
        ({"weights": None}, "weights is null"),
        ({"epilogue": BIAS}, "bias is null"),
        ({"activations": activations.data_ptr() + 2}, "activations is not aligned"),
    ):
        try:
            kernels.gemm(activations, weights, output, **overrides)
        except KernelError as error:
            assert expected in str(error), f"{error} does not say {expected}"
        else:
            raise AssertionError(f"accepted: {expected}")


def run_all(library, only=""):
    """Runs the tests; returns the names of those that failed."""
    suites = [
        (globals(), "gemm", lambda: closing(GemmKernels(library))),
        (globals(), "portable gemm", lambda: closing(GemmKernels(library, portable=True))),
    ]
    return run_suites(suites, only)


if __name__ == "__main__":
    main(run_all, __doc__)
