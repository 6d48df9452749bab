"""Times the linear layers' products beside torch (cuBLAS), in one run on one GPU.

    python3 bench/kernels/gemm/bench_gemm.py --library LIBRARY --commit HASH --out FILE [--only TEXT]
        [--repeats N]

The tests run first; no figure is written when one fails. The peer multiplies the same matrices without an
epilogue, so ours does more in its time. The row `gemm.bf16` repeats the worst of the others.
"""

import statistics
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "test" / "kernels"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import gemm_test
from gemm_kernels import BIAS, RESIDUAL, SWIGLU, GemmKernels
from options import bench_options
from record import checksum_of, write_record
from timing import measure

# Qwen2.5-Coder-1.5B: name, in, out, epilogue
PRODUCTS = [
    ("qkv", 1536, 2048, BIAS),
    ("attention_output", 1536, 1536, RESIDUAL),
    ("gate_up", 1536, 17920, SWIGLU),
    ("down", 8960, 1536, RESIDUAL),
]
TOKENS = {"8k": 8192, "16k": 16384}
OURS = "longview"
PEER = f"torch {torch.__version__} (cuBLAS)"


def implementations_of(kernels, epilogue, output):
    product = torch.empty(0, device="cuda", dtype=torch.bfloat16)

    def ours(activations, weights, bias, residual):
        kernels.gemm(activations, weights, output, epilogue, bias, residual)

    def peer(activations, weights, bias, residual):
        torch.matmul(activations, weights.T, out=product)

    return {OURS: ours, PEER: peer}


def row(name, flop, times, checksum, peer_name=PEER):
    """`times`: {implementation: [milliseconds]}."""
    ours, peer = (statistics.median(times[key]) for key in (OURS, peer_name))
    return {
        "id": name,
        "value": round(ours, 5),
        "unit": "ms",
        "peer": peer_name,
        "peerValue": round(peer, 5),
        "ratio": round(peer / ours, 4),
        "min": round(min(times[OURS]), 5),
        "median": round(ours, 5),
        "max": round(max(times[OURS]), 5),
        "note": f"{flop / ours / 1e9:.0f} TFLOP/s, peer {flop / peer / 1e9:.0f}; "
        f"{len(times[OURS])} repeats in turn; output sha256 {checksum}",
    }


def measured_rows(kernels, only, repeats):
    rows = []
    for length, tokens in TOKENS.items():
        for name, in_features, out_features, epilogue in PRODUCTS:
            case = f"gemm.bf16.{name}.{length}"
            if only not in case:
                continue
            inputs = gemm_test.make(tokens, in_features, out_features, epilogue)
            output = gemm_test.run(kernels, inputs, epilogue)
            times = measure(implementations_of(kernels, epilogue, output), inputs, repeats)
            flop = 2 * tokens * in_features * out_features
            rows.append(row(case, flop, times, checksum_of(output)))
            print(f"{case:36} x{rows[-1]['ratio']:.3f}  {rows[-1]['note']}", flush=True)
    return rows


def main():
    options = bench_options(__doc__, has_repeats=True)

    if gemm_test.run_all(options.library):
        sys.exit("The kernel fails its tests: no figures.")
    kernels = GemmKernels(options.library)
    rows = measured_rows(kernels, options.only, options.repeats)
    kernels.close()
    if not options.only:
        worst = min(rows, key=lambda each: each["ratio"])
        rows.append({**worst, "id": "gemm.bf16", "note": f"the worst: {worst['id']}; {worst['note']}"})
    write_record(options.out, "gemm", options.commit, rows)


if __name__ == "__main__":
    main()
