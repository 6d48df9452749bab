"""Checks the attention kernels on a GPU: python3 test/kernels/attention_test.py LIBRARY [--only TEXT]

Runs the tests of dense and sparse prefill with the fastest kernel of the device and with the portable
one, and those of decode. --only takes those whose name, as printed, contains the text.
"""

from contextlib import closing

import attention_averages_test
import attention_columns_test
import attention_decode_test
import attention_prefill_test
import attention_sparse_test
from attention_sparse_kernels import SparseKernels
from suite_runner import main, run_suites

SUITES = (
    (attention_prefill_test, "prefill", False),
    (attention_prefill_test, "portable prefill", True),
    (attention_sparse_test, "sparse", False),
    (attention_sparse_test, "portable sparse", True),
    (attention_columns_test, "columns", False),
    (attention_columns_test, "portable columns", True),
    (attention_averages_test, "averages", False),
    (attention_averages_test, "portable averages", True),
    (attention_decode_test, "decode", False),
)


def run_all(library, only=""):
    """Runs the tests; returns the names of those that failed."""
    suites = [
        (vars(module), label, lambda portable=portable: closing(SparseKernels(library, portable)))
        for module, label, portable in SUITES
    ]
    return run_suites(suites, only)


if __name__ == "__main__":
    main(run_all, __doc__)
