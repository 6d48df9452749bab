"""Times the linear layers' products beside torch (cuBLAS), in one run on one GPU.

    python3 bench/kernels/gemm/bench_gemm.py --library LIBRARY --commit HASH --out FILE [--only TEXT]
        [--repeats N]

The tests run first; no figure is written when one fails. The peer multiplies the same matrices without an
epilogue, so ours does more in its time; `gemm.bf16` repeats the worst of these rows. Where ours adds to the
residual, rows compare like with like: `.plain` ours without it, `.fused` with torch's best of two ways to add it.
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
from timing import REPEATS, measure

# Qwen2.5-Coder-1.5B: name, in, out, epilogue
PRODUCTS = [
    ("qkv", 1536, 2048, BIAS),
    ("attention_output", 1536, 1536, RESIDUAL),
    ("gate_up", 1536, 17920, SWIGLU),
    ("down", 8960, 1536, RESIDUAL),
]
TOKENS = {"8k": 8192, "16k": 16384}
OURS = "longview"
OURS_PLAIN = "longview, without the residual"
PEER = f"torch {torch.__version__} (cuBLAS)"
FUSED_PEERS = [f"{PEER}, addmm in place", f"{PEER}, matmul and add_"]


def implementations_of(kernels, epilogue, output):
    """Ours as prefill calls it: a residual is where the output goes."""
    product = torch.empty(0, device="cuda", dtype=torch.bfloat16)

    def ours(activations, weights, bias, residual):
        place = output if residual is None else residual
        kernels.gemm(activations, weights, place, epilogue, bias, residual)

    def peer(activations, weights, bias, residual):
        torch.matmul(activations, weights.T, out=product)

    if epilogue != RESIDUAL:
        return {OURS: ours, PEER: peer}

    def ours_plain(activations, weights, bias, residual):
        kernels.gemm(activations, weights, output)

    def peer_addmm(activations, weights, bias, residual):
        torch.addmm(residual, activations, weights.T, out=residual)

    def peer_add(activations, weights, bias, residual):
        torch.matmul(activations, weights.T, out=product)
        residual.add_(product)

    fused = dict(zip(FUSED_PEERS, (peer_addmm, peer_add)))
    return {OURS: ours, PEER: peer, OURS_PLAIN: ours_plain, **fused}


def row(name, flop, times, checksum, peer_name=PEER, ours_name=OURS):
    """`times`: {implementation: [milliseconds]}."""
    ours, peer = (statistics.median(times[key]) for key in (ours_name, peer_name))
    return {
        "id": name,
        "value": round(ours, 5),
        "unit": "ms",
        "peer": peer_name,
        "peerValue": round(peer, 5),
        "ratio": round(peer / ours, 4),
        "min": round(min(times[ours_name]), 5),
        "median": round(ours, 5),
        "max": round(max(times[ours_name]), 5),
        "note": f"{flop / ours / 1e9:.0f} TFLOP/s, peer {flop / peer / 1e9:.0f}; "
        f"{len(times[ours_name])} repeats in turn; output sha256 {checksum}",
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
            added = rows_of(case, flop, times, checksum_of(output))
            for each in added:
                print(f"{each['id']:40} x{each['ratio']:.3f}  {each['note']}", flush=True)
            rows.extend(added)
    return rows


def rows_of(case, flop, times, checksum):
    rows = [row(case, flop, times, checksum)]
    if OURS_PLAIN in times:
        best = min(FUSED_PEERS, key=lambda name: statistics.median(times[name]))
        rows.append(row(f"{case}.plain", flop, times, checksum, ours_name=OURS_PLAIN))
        rows.append(row(f"{case}.fused", flop, times, checksum, peer_name=best))
    return rows


def main():
    options = bench_options(__doc__, repeats=REPEATS)

    if gemm_test.run_all(options.library):
        sys.exit("The kernel fails its tests: no figures.")
    kernels = GemmKernels(options.library)
    rows = measured_rows(kernels, options.only, options.repeats)
    kernels.close()
    if not options.only:
        beside_plain = [each for each in rows if not each["id"].endswith((".plain", ".fused"))]
        worst = min(beside_plain, key=lambda each: each["ratio"])
        rows.append({**worst, "id": "gemm.bf16", "note": f"the worst: {worst['id']}; {worst['note']}"})
    write_record(options.out, "gemm", options.commit, rows)


if __name__ == "__main__":
    main()
