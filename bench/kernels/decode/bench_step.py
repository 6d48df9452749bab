"""Times whole decode steps of the CUDA engine beside the bandwidth limit, in one run on one GPU.

    node scripts/cuda/test-engine.mjs --bundle
    python3 bench/kernels/decode/bench_step.py --model GGUF --commit HASH --out FILE [--node NODE] [--addon ADDON]

The engine's tests on tiny models run first; no figure is written when one fails. A step goes through the
addon as the engine host calls it: token in, all layers, head, choice, token out. The limit is what a step must
read, the weights as they lie on the device and the keys and values of all tokens, over the bandwidth of a
copy in the same run (bytes read and written). MODEL may be random_model.py's: time does not depend on the
weights.
"""

import argparse
import hashlib
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "bench" / "kernels"))

import random_model
from record import write_record
from timing import copy_bytes_per_second

DEPTHS = {"8k": 8000, "32k": 32000, "128k": 127000}


def run_node(options, script, *arguments):
    command = [options.node, str(script), str(options.addon), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def row(name, run, times, step_bytes, bandwidth, what):
    """`times` in ms; `step_bytes` of the middle step."""
    limit_ms = step_bytes / bandwidth * 1e3
    median = statistics.median(times)
    checksum = hashlib.sha256(json.dumps(run["tokens"]).encode()).hexdigest()[:12]
    return {
        "id": name,
        "value": round(median, 4),
        "unit": "ms",
        "peer": "limit",
        "peerValue": round(limit_ms, 4),
        "ratio": round(limit_ms / median, 4),
        "min": round(min(times), 4),
        "median": round(median, 4),
        "max": round(max(times), 4),
        "note": f"{what} at a depth of {run['depth']} tokens; {step_bytes / 1e9:.3f} GB, copy "
        f"{bandwidth / 1e12:.2f} TB/s; {len(times)} steps; tokens sha256 {checksum}",
    }


def rows_of(measured, names, bandwidth):
    rows = []
    for run in measured["runs"]:
        middle = run["depth"] + measured["warmUps"] + measured["steps"] // 2
        step_bytes = measured["weightBytes"] + middle * measured["kvTokenBytes"]
        name = f"decode.{names[run['depth']]}"
        if run["continues"]:
            what = "one token for the caller, the next step begun ahead"
            rows.append(row(name, run, run["callMs"], step_bytes, bandwidth, what))
        else:
            rows.append(row(f"{name}.device", run, run["deviceMs"], step_bytes, bandwidth, "on the device"))
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="default: random weights of the 1.5B shape")
    parser.add_argument("--commit", required=True)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--node", default="node")
    parser.add_argument("--addon", type=Path, default=ROOT / "build" / "cuda" / "longview-cuda.node")
    parser.add_argument("--scripts", type=Path, default=ROOT / "out")
    parser.add_argument("--fixtures", type=Path, default=ROOT / "test" / "fixtures" / "engine")
    parser.add_argument("--depths", nargs="*", choices=DEPTHS, default=["8k", "32k"])
    options = parser.parse_args()
    options.addon = options.addon.resolve()

    tests = run_node(options, options.scripts / "test" / "engine-test.js", options.fixtures)
    if tests.returncode != 0:
        sys.exit(f"The engine fails its tests: no figures.\n{tests.stdout}{tests.stderr}")
    bandwidth = copy_bytes_per_second()
    names = {DEPTHS[name]: name for name in options.depths}
    with tempfile.TemporaryDirectory() as folder:
        model = options.model
        if model is None:
            model = Path(folder) / "random.gguf"
            random_model.write(model)
        steps = run_node(options, options.scripts / "bench" / "step-times.js", model, *names)
    if steps.returncode != 0:
        sys.exit(steps.stderr)
    rows = rows_of(json.loads(steps.stdout), names, bandwidth)
    for each in rows:
        print(f"{each['id']:20} {each['value']:8.4f} ms  x{each['ratio']:.3f}  {each['note']}")
    write_record(options.out, "decode-step", options.commit, rows)


if __name__ == "__main__":
    main()
