"""Checks the attention kernels on a GPU: python3 test/kernels/attention_test.py LIBRARY [--only TEXT]

Runs the tests of dense and sparse prefill with the fastest kernel of the device and with the portable
one, and those of decode. --only takes those whose name, as printed, contains the text.
"""

import argparse
import sys

import attention_averages_test
import attention_columns_test
import attention_decode_test
import attention_prefill_test
import attention_sparse_test
from attention_sparse_kernels import SparseKernels
from attention_testing import run_tests


def run_all(library, only=""):
    """Runs the tests; returns the names of those that failed."""
    passed, failed = 0, []
    for module, label, portable in (
        (attention_prefill_test, "prefill", False),
        (attention_prefill_test, "portable prefill", True),
        (attention_sparse_test, "sparse", False),
        (attention_sparse_test, "portable sparse", True),
        (attention_columns_test, "columns", False),
        (attention_columns_test, "portable columns", True),
        (attention_averages_test, "averages", False),
        (attention_averages_test, "portable averages", True),
        (attention_decode_test, "decode", False),
    ):
        kernels = SparseKernels(library, portable)
        result = run_tests(module, kernels, label, only)
        kernels.close()
        passed, failed = passed + result[0], failed + result[1]
    print(f"{passed} passed, {len(failed)} failed", flush=True)
    return failed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    sys.exit(1 if run_all(options.library, options.only) else 0)
