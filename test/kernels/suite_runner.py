"""Runs the functions test_* of the kernels' Python tests, and reads the tests' command line."""

import argparse
import sys
import traceback

import torch


def run_tests(tests, kernels, label, only=""):
    """Runs the functions test_* of `tests`, a module's names, whose `label: name` contains `only`; returns
    how many passed and the names of those that failed."""
    passed, failed = 0, []
    for name, test in list(tests.items()):
        title = f"{label}: {name.removeprefix('test_')}"
        if not name.startswith("test_") or only not in title:
            continue
        try:
            test(kernels)
            torch.cuda.synchronize()
            passed += 1
            print(f"ok    {title}", flush=True)
        except Exception:
            failed.append(title)
            print(f"FAIL  {title}\n{traceback.format_exc(limit=3)}", flush=True)
    return passed, failed


def run_suites(suites, only=""):
    """Runs suites of (module's names, label, function that makes a context of the kernels) one after the
    other; returns the names of the tests that failed."""
    passed, failed = 0, []
    for tests, label, open_kernels in suites:
        with open_kernels() as kernels:
            result = run_tests(tests, kernels, label, only)
        passed, failed = passed + result[0], failed + result[1]
    print(f"{passed} passed, {len(failed)} failed", flush=True)
    return failed


def main(run_all, description):
    """A test program: run_all(library, only) returns the names of the tests that failed."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("library")
    parser.add_argument("--only", default="", help="run tests whose name contains this")
    options = parser.parse_args()
    sys.exit(1 if run_all(options.library, options.only) else 0)
