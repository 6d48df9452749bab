"""The command line of the kernels' benches."""

import argparse
from pathlib import Path

from timing import REPEATS


def bench_options(description, has_repeats=False):
    """Options of a bench whose text at the top is `description`."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--library", required=True)
    parser.add_argument("--commit", required=True)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--only", default="", help="cases whose id contains this")
    if has_repeats:
        parser.add_argument("--repeats", type=int, default=REPEATS)
    return parser.parse_args()
