"""Checks dequantisation on a GPU, bit for bit: python3 test/kernels/quant_test.py LIBRARY [--only NAME]"""

from contextlib import nullcontext

import torch

from ops_kernels import (
    IDENTITY,
    LAYOUTS,
    DequantizeParams,
    EmbeddingParams,
    Format,
    KernelError,
    OpsKernels,
    RowMap,
    address,
    matrix,
)
from ops_testing import SENTINEL, Poisoned, assert_same, padded_to_16, random_blocks
from suite_runner import main, run_suites

SHAPES = [(1, 256), (3, 768), (131, 1536), (5, 8960)]
NARROW_SHAPES = [(2, 32), (7, 576), (9, 896)]  # of blocks of 32 elements at most


def shapes_of(kind):
    return SHAPES + (NARROW_SHAPES if LAYOUTS[kind][0] <= 32 else [])


def make(kernels, kind, rows, columns):
    """The matrix on the GPU, and its values rounded to bf16."""
    blocks = random_blocks(kind, rows * columns, seed=rows + columns)
    values = kernels.reference_dequantize(kind, blocks, rows * columns)
    return padded_to_16(blocks), values.view(rows, columns).bfloat16().cuda()


def test_values_are_the_oracles(kernels):
    for kind in Format:
        for rows, columns in shapes_of(kind):
            data, expected = make(kernels, kind, rows, columns)
            output = Poisoned(rows, columns)
            source = matrix(data, rows, columns, kind)
            kernels.enqueue(
                "dequantize", DequantizeParams(source, address(output.tensor), columns, IDENTITY)
            )
            assert_same(f"{kind.name} {rows} x {columns}", output.written(), expected)


def test_rows_go_where_the_map_says(kernels):
    rows, columns, stride = 24, 256, 272
    for kind in Format:
        data, expected = make(kernels, kind, rows, columns)
        for row_map in (RowMap(1, 1, 5), RowMap(8, 16, 0), RowMap(8, 16, 8), RowMap(1, 3, 2)):
            index = torch.arange(rows, device="cuda")
            index = index // row_map.block * row_map.step + row_map.offset + index % row_map.block
            whole = torch.full((80, stride), SENTINEL, device="cuda", dtype=torch.bfloat16)
            wanted = whole.clone()
            wanted[index, :columns] = expected
            source = matrix(data, rows, columns, kind)
            kernels.enqueue("dequantize", DequantizeParams(source, address(whole), stride, row_map))
            assert_same(f"{kind.name} map {row_map.block}, {row_map.step}", whole, wanted)


def test_more_elements_than_32_bits_count(kernels):
    rows, columns = 262144 + 3, 8192
    one_row, _ = make(kernels, Format.Q4_K, 1, columns)
    data = one_row.repeat(rows)
    output = torch.full((rows, columns), float("nan"), device="cuda", dtype=torch.bfloat16)
    kernels.enqueue(
        "dequantize",
        DequantizeParams(
            matrix(data, rows, columns, Format.Q4_K), address(output), columns, IDENTITY
        ),
    )
    assert_same("last row", output[-1], output[0])
    assert not output[::1000].isnan().any()


def test_embedding_rows(kernels):
    for kind in Format:
        rows, columns = 37, 512
        data, expected = make(kernels, kind, rows, columns)
        ids = torch.tensor([36, 0, 5, 5, 17], dtype=torch.int32, device="cuda")
        output = Poisoned(5, columns)
        table = matrix(data, rows, columns, kind)
        kernels.enqueue("embed", EmbeddingParams(table, address(ids), address(output.tensor), 5))
        assert_same(kind.name, output.written(), expected[ids.long()])


def test_ids_outside_the_table_give_nan(kernels):
    data, expected = make(kernels, Format.Q8_0, 4, 64)
    ids = torch.tensor([4, 3, -1, 2**31 - 1], dtype=torch.int32, device="cuda")
    output = Poisoned(4, 64)
    output.tensor.zero_()
    table = matrix(data, 4, 64, Format.Q8_0)
    kernels.enqueue("embed", EmbeddingParams(table, address(ids), address(output.tensor), 4))
    rows = output.written(expect_nan=True)
    assert rows[[0, 2, 3]].isnan().all()
    assert_same("the row inside", rows[1], expected[3])


def test_bad_input_is_refused(kernels):
    data, _ = make(kernels, Format.Q4_K, 2, 256)
    output = torch.empty(2, 256, device="cuda", dtype=torch.bfloat16)
    to = address(output)
    cases = {
        "format 2 is not known": (matrix(data, 2, 256, 2), to, 256, IDENTITY),
        "128 columns": (matrix(data, 2, 128, Format.Q4_K), to, 256, IDENTITY),
        "0 rows": (matrix(data, 0, 256, Format.Q4_K), to, 256, IDENTITY),
        "data is null": (matrix(None, 2, 256, Format.Q4_K), to, 256, IDENTITY),
        "destination is not aligned": (matrix(data, 2, 256, Format.Q4_K), to + 2, 256, IDENTITY),
        "destination_stride 248": (matrix(data, 2, 256, Format.Q4_K), to, 248, IDENTITY),
        "row_map {0": (matrix(data, 2, 256, Format.Q4_K), to, 256, RowMap(0, 1, 0)),
    }
    for expected, fields in cases.items():
        try:
            kernels.enqueue("dequantize", DequantizeParams(*fields))
        except KernelError as error:
            assert expected in str(error), f"{error} does not say {expected}"
        else:
            raise AssertionError(f"accepted: {expected}")


def run_all(library, only=""):
    """Runs the tests; returns the names of those that failed."""
    return run_suites([(globals(), "quant", lambda: nullcontext(OpsKernels(library)))], only)


if __name__ == "__main__":
    main(run_all, __doc__)
