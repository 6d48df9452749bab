"""The command line of the kernels' benches."""

import argparse
from pathlib import Path


def bench_options(description, **more):
    """Options of a bench whose text at the top is `description`; `more`: numbers of its own, by their defaults."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--library", required=True)
    parser.add_argument("--commit", required=True)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--only", default="", help="cases whose id contains this")
    for name, default in more.items():
        parser.add_argument(f"--{name}", type=type(default), default=default)
    return parser.parse_args()
