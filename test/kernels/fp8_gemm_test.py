"""Checks the products in fp8 on a GPU: python3 test/kernels/fp8_gemm_test.py LIBRARY [--only TEXT]

Runs all tests with the fastest kernel of the device and with the portable one. --only takes those whose
name, as printed, contains the text. Needs compute capability 9.0, for torch's products to compare with.
"""

import math
from contextlib import closing

import torch

from fp8_gemm_kernels import E4M3, Fp8GemmKernels
from gemm_kernels import BIAS, NONE, RESIDUAL, SWIGLU, KernelError
from gemm_test import EPILOGUES, PoisonedOutput, draw, finished, make
from suite_runner import main, run_suites

LARGEST = 448.0
EPSILON = 1e-6


def operands(kernels, tokens, in_features, out_features, epilogue, seed=0):
    """activations and weights as (e4m3, scales), bias, residual"""
    activations, weights, bias, residual = make(tokens, in_features, out_features, epilogue, seed)
    return kernels.quantized(activations), kernels.quantized(weights), bias, residual


def rows_of(operand, start, end):
    return tuple(part[start:end].contiguous() for part in operand)


def values_of(operand):
    data, scales = operand
    return data.double() * scales.double()[:, None]


def exact(activations, weights, epilogue, bias, residual):
    """Of the rounded operands, in fp64."""
    wide = [None if x is None else x.double() for x in (bias, residual)]
    return finished(values_of(activations) @ values_of(weights).T, epilogue, *wide)


def torchs(activations, weights, epilogue, bias, residual):
    """With the tensor cores' own sums, as ours are; test_sums_lose_little has what they cost."""
    product = torch._scaled_mm(
        activations[0],
        weights[0].T,
        scale_a=activations[1][:, None],
        scale_b=weights[1][None, :],
        out_dtype=torch.bfloat16,
        use_fast_accum=True,
    )
    return finished(product, epilogue, bias, residual)


def run(kernels, inputs, epilogue, **overrides):
    activations, weights, bias, residual = inputs
    columns = weights[0].shape[0] // (2 if epilogue == SWIGLU else 1)
    output = PoisonedOutput(activations[0].shape[0], columns)
    kernels.gemm(activations, weights, output.tensor, epilogue, bias, residual, **overrides)
    return output.written()


def check(kernels, tokens, in_features, out_features, epilogue):
    inputs = operands(kernels, tokens, in_features, out_features, epilogue)
    output = run(kernels, inputs, epilogue)
    expected = exact(*inputs[:2], epilogue, *inputs[2:])
    errors = (output.double() - expected).abs().nan_to_num(nan=math.inf)
    peer = (torchs(*inputs[:2], epilogue, *inputs[2:]).double() - expected).abs()
    rounding = (expected.bfloat16().double() - expected).abs().max()
    assert errors.max() <= 2 * peer.max() + rounding, (
        f"{tokens} x {in_features} x {out_features}: error {errors.max():.2e}; "
        f"torch's {peer.max():.2e}"
    )


def test_rounds_as_the_oracle(kernels):
    norm_weight = draw(192, seed=2, dtype=torch.float32)
    for rows, weight in ((1, None), (70, None), (70, norm_weight)):
        source = draw(rows, 192, seed=1, scale=3.0)
        source[-1] *= 1e-3
        data, scales = kernels.quantized(source, weight, EPSILON)
        host_weight = None if weight is None else weight.cpu()
        oracle, oracle_scales = kernels.reference_quantized(
            source.float().cpu(), host_weight, EPSILON
        )
        assert torch.allclose(scales.cpu(), oracle_scales, rtol=1e-5, atol=0)
        # A value between two neighbours may go to the other one: the scales differ in their last bits.
        steps = (data.cpu().view(torch.uint8).int() - oracle.view(torch.uint8).int()).abs()
        assert steps.max() <= 1, f"{steps.max()} steps"
        assert (steps != 0).float().mean() < 1e-3, f"{(steps != 0).sum()} of {steps.numel()}"


def test_rounds_to_the_nearest(kernels):
    for features in (64, 1536, 4864, 8960, 20480):
        source = draw(33, features, seed=3)
        source[5] = 0
        data, scales = kernels.quantized(source)
        expected = source.double().abs().amax(1).clamp(min=1e-30) / LARGEST
        assert torch.allclose(scales.double(), expected, rtol=1e-6, atol=0)
        exact_values = source.double() / expected[:, None]
        # Neighbours lie 2^(exponent - 3) apart, and no closer than the subnormals do.
        spacing = 2.0 ** (exact_values.abs().clamp(min=2.0**-6).log2().floor() - 3)
        errors = (data.double() - exact_values).abs() / spacing
        assert errors.max() <= 0.5001, f"{features} features: {errors.max()} of a step"


def test_nan_is_not_hidden(kernels):
    source = draw(4, 128, seed=4)
    source[2, 7] = math.nan
    data, _ = kernels.quantized(source)
    assert data[2, 7].isnan() and not data[[0, 1, 3]].float().isnan().any()
    weights = kernels.quantized(draw(128, 128, seed=5))
    output = run(kernels, (kernels.quantized(source), weights, None, None), NONE)
    assert output[2].isnan().all() and output[[0, 1, 3]].isfinite().all()


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


def test_sums_lose_little(kernels):
    """Beside what the rounding of the operands loses."""
    for in_features in (1536, 8960):
        activations, weights, _, _ = make(512, in_features, 1536, NONE)
        rounded = kernels.quantized(activations), kernels.quantized(weights)
        output = run(kernels, (*rounded, None, None), NONE).double()
        product = exact(*rounded, NONE, None, None)
        lost = product - activations.double() @ weights.double().T
        added = output - product
        share = (added.square().mean() / lost.square().mean()).sqrt()
        assert share < 0.1, f"{in_features} features: {share:.3f}"


def test_residual_in_place(kernels):
    inputs = operands(kernels, 700, 576, 1536, RESIDUAL)
    expected = run(kernels, inputs, RESIDUAL)
    activations, weights, _, residual = inputs
    kernels.gemm(activations, weights, residual, RESIDUAL, None, residual)
    assert torch.equal(residual.view(torch.int16), expected.view(torch.int16))


def test_rows_do_not_depend_on_their_company(kernels):
    for epilogue in EPILOGUES.values():
        inputs = operands(kernels, 1111, 896, 1152, epilogue)
        activations, weights, bias, residual = inputs
        whole = run(kernels, inputs, epilogue)
        for start, end in ((0, 1), (0, 500), (500, 1111), (1110, 1111)):
            part = residual[start:end].contiguous() if residual is not None else None
            output = run(
                kernels, (rows_of(activations, start, end), weights, bias, part), epilogue
            )
            same = torch.equal(output.view(torch.int16), whole[start:end].view(torch.int16))
            assert same, f"rows {start} to {end}, epilogue {epilogue}"


def test_repeatable(kernels):
    inputs = operands(kernels, 3000, 1536, 2048, BIAS)
    first = run(kernels, inputs, BIAS)
    for _ in range(20):
        assert torch.equal(run(kernels, inputs, BIAS).view(torch.int16), first.view(torch.int16))


def test_no_rows_do_nothing(kernels):
    inputs = operands(kernels, 0, 128, 128, NONE)
    assert run(kernels, inputs, NONE).numel() == 0


def test_refuses_what_it_cannot_do(kernels):
    activations, weights, _, _ = operands(kernels, 4, 128, 128, NONE)
    source, scales = draw(4, 128, seed=0), torch.empty(4, device="cuda")
    output = torch.empty(4, 128, device="cuda", dtype=torch.bfloat16)

    def product(**overrides):
        kernels.gemm(activations, weights, output, NONE, **overrides)

    def rounding(**overrides):
        kernels.quantize(source, activations[0], scales, **overrides)

    for call, overrides, expected in (
        (product, {"in_features": 100}, "in_features is 100"),
        (product, {"tokens": -1}, "-1 tokens"),
        (product, {"weight_scales": None}, "weight_scales is null"),
        (product, {"activation_scales": scales.data_ptr() + 2}, "activation_scales is not aligned"),
        (product, {"weight_scales": scales.data_ptr() + 4}, "weight_scales is not aligned"),
        (product, {"epilogue": BIAS}, "bias is null"),
        (rounding, {"features": 100}, "features is 100"),
        (rounding, {"features": 20544}, "more than 20480"),
        (rounding, {"norm_weight": source.data_ptr()}, "norm_epsilon is not positive"),
        (rounding, {"scales": None}, "scales is null"),
    ):
        try:
            call(**overrides)
        except KernelError as error:
            assert expected in str(error), f"{error} does not say {expected}"
        else:
            raise AssertionError(f"accepted: {expected}")


def run_all(library, only=""):
    """Runs the tests; returns the names of those that failed."""
    suites = [
        (globals(), "fp8 gemm", lambda: closing(Fp8GemmKernels(library))),
        (globals(), "portable fp8 gemm", lambda: closing(Fp8GemmKernels(library, portable=True))),
    ]
    return run_suites(suites, only)


if __name__ == "__main__":
    main(run_all, __doc__)
