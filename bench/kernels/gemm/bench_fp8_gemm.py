"""Times the linear layers' products in fp8 beside torch._scaled_mm, and a whole layer's beside ours in bf16.

    python3 bench/kernels/gemm/bench_fp8_gemm.py --library LIBRARY --commit HASH --out FILE [--only TEXT]
        [--repeats N]

The tests run first; no figure is written when one fails. The peer scales rows as we do, at the faster of its
two settings, without an epilogue. The rows `gemm.fp8.layer.*` take a layer's four products with the rounding
of their activations: what fp8 saves. The rows `gemm.fp8.error.*` are the share of a product that fp8 loses.
"""

import statistics
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "test" / "kernels"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import fp8_gemm_test
import gemm_test
from bench_gemm import OURS, PRODUCTS, TOKENS, row
from fp8_gemm_kernels import Fp8GemmKernels
from gemm_kernels import GemmKernels
from options import bench_options
from record import checksum_of, write_record
from timing import REPEATS, measure

PEERS = {
    f"torch {torch.__version__} _scaled_mm, {name} sums": fast
    for name, fast in (("full", False), ("fast", True))
}
OURS_BF16 = "longview, bf16"


def scaled_mm(is_fast):
    product = torch.empty(0, device="cuda", dtype=torch.bfloat16)

    def run(activations, weights, bias, residual):
        torch._scaled_mm(
            activations[0],
            weights[0].T,
            scale_a=activations[1][:, None],
            scale_b=weights[1][None, :],
            out_dtype=torch.bfloat16,
            use_fast_accum=is_fast,
            out=product,
        )

    return run


def product_row(kernels, repeats, length, name, in_features, out_features, epilogue):
    tokens = TOKENS[length]
    inputs = fp8_gemm_test.operands(kernels, tokens, in_features, out_features, epilogue)
    output = fp8_gemm_test.run(kernels, inputs, epilogue)

    def ours(activations, weights, bias, residual):
        kernels.gemm(activations, weights, output, epilogue, bias, residual)

    times = measure({OURS: ours, **{key: scaled_mm(fast) for key, fast in PEERS.items()}}, inputs, repeats)
    best = min(PEERS, key=lambda key: statistics.median(times[key]))
    flop = 2 * tokens * in_features * out_features
    return row(f"gemm.fp8.{name}.{length}", flop, times, checksum_of(output), best)


def error_row(kernels, name, in_features, out_features):
    """Of normal random operands: the root of the mean square of what fp8 changes, over that of the product."""
    activations, weights, *_ = gemm_test.make(4096, in_features, out_features, gemm_test.NONE)
    wide = activations.double() @ weights.double().T
    rounded = kernels.quantized(activations), kernels.quantized(weights)
    output = torch.empty(4096, out_features, device="cuda", dtype=torch.bfloat16)
    kernels.gemm(*rounded, output)
    product = fp8_gemm_test.exact(*rounded, gemm_test.NONE, None, None)
    total, sums = ((output.double() - other).square().mean().sqrt() for other in (wide, product))
    size = wide.square().mean().sqrt()
    return {
        "id": f"gemm.fp8.error.{name}",
        "value": round((total / size).item(), 5),
        "unit": "share",
        "note": f"of it by our sums and bf16: {(sums / size).item():.5f}; normal random operands",
    }


def layer_row(fp8, bf16, repeats, length):
    """Four products, each with its own activations; in fp8 these are rounded first."""
    tokens = TOKENS[length]
    steps = []
    for _, in_features, out_features, epilogue in PRODUCTS:
        inputs = gemm_test.make(tokens, in_features, out_features, epilogue)
        rounded = fp8.quantized(inputs[0])
        weights = fp8.quantized(inputs[1])
        output = gemm_test.run(bf16, inputs, epilogue)
        steps.append((inputs, rounded, weights, output, epilogue))

    def ours_fp8():
        for inputs, rounded, weights, output, epilogue in steps:
            fp8.quantize(inputs[0], *rounded)
            fp8.gemm(rounded, weights, output, epilogue, *inputs[2:])

    def ours_bf16():
        for inputs, _, _, output, epilogue in steps:
            bf16.gemm(*inputs[:2], output, epilogue, *inputs[2:])

    times = measure({OURS: ours_fp8, OURS_BF16: ours_bf16}, (), repeats)
    flop = sum(2 * tokens * k * n for _, k, n, _ in PRODUCTS)
    return row(f"gemm.fp8.layer.{length}", flop, times, checksum_of(steps[-1][3]), OURS_BF16)


def measured_rows(fp8, bf16, only, repeats):
    rows = []

    def take(name, measure_row, *arguments):
        if only in name:
            rows.append(measure_row(*arguments))
            print(f"{name:36} {rows[-1]['value']}  {rows[-1]['note']}", flush=True)

    for length in TOKENS:
        for product in PRODUCTS:
            take(f"gemm.fp8.{product[0]}.{length}", product_row, fp8, repeats, length, *product)
        take(f"gemm.fp8.layer.{length}", layer_row, fp8, bf16, repeats, length)
    for name, in_features, out_features, _ in PRODUCTS:
        take(f"gemm.fp8.error.{name}", error_row, fp8, name, in_features, out_features)
    return rows


def main():
    options = bench_options(__doc__, repeats=REPEATS)

    if fp8_gemm_test.run_all(options.library):
        sys.exit("The kernel fails its tests: no figures.")
    fp8, bf16 = Fp8GemmKernels(options.library), GemmKernels(options.library)
    rows = measured_rows(fp8, bf16, options.only, options.repeats)
    fp8.close()
    bf16.close()
    write_record(options.out, "gemm-fp8", options.commit, rows)


if __name__ == "__main__":
    main()
