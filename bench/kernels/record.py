"""The record that the kernels' benches write."""

import datetime
import hashlib
import json
import subprocess

import torch


def checksum_of(output):
    """Of the bits of a bf16 tensor."""
    return hashlib.sha256(output.view(torch.int16).cpu().numpy()).hexdigest()[:16]


def _driver_version():
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    return subprocess.run(query, capture_output=True, text=True, check=True).stdout.splitlines()[0].strip()


def write_record(path, bench, commit, rows):
    """Writes `rows`. Rows with other ids stay where `path` is a record of the same commit."""
    before = json.loads(path.read_text()) if path.exists() else {}
    new = {row["id"] for row in rows}
    kept = [row for row in before.get("rows", []) if row["id"] not in new]
    record = {
        "bench": bench,
        "commit": commit,
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "device": torch.cuda.get_device_name(),
        "driver": _driver_version(),
        "rows": (kept if before.get("commit") == commit else []) + rows,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=2) + "\n")
