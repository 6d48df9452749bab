"""Checks the C interface as other programs use it: python3 test/kernels/attention_capi_test.py LIBRARY

LIBRARY is liblongview_attention.so. Sampling, selection and attention run through kernels/capi/python; what
is attended to is checked against fp64 under the mask that the lists stand for.
"""

import ctypes
from contextlib import nullcontext

import torch

from attention_kernels import causal_mask  # finds the modules below
import longview_attention as longview
from attention_testing import check_errors, check_refused, check_same_bits, make
from sample_attention import DenseAttention, SampleAttention, densities
from suite_runner import main, run_suites

SHAPES = [(2048, 12, 2, 128), (1900, 14, 2, 64), (1000, 9, 3, 64), (1280, 8, 8, 128)]  # tokens, heads


def settings(**changes):
    return longview.SelectionSettings(alpha=0.6, window_tokens=128, **changes)


def key_mask(lists, counts, rows, kv_len):
    """bool [heads, rows, kv_len]: what each row may see, from the lists of a whole prompt."""
    heads, tiles, pitch = lists.shape
    places = torch.arange(pitch, device="cuda")
    blocks = torch.where(places < counts[:, :, None], lists.int() & 0xFFFF, pitch).long()
    listed = torch.zeros(heads, tiles, pitch + 1, dtype=torch.bool, device="cuda")
    listed.scatter_(2, blocks, True)
    of_rows = listed[:, rows // longview.TILE_ROWS, :-1]
    keys = of_rows.repeat_interleave(longview.BLOCK_KEYS, 2)[:, :, :kv_len]
    return keys & causal_mask(rows, kv_len, kv_len)


def lists_of(attention, heads, tokens):
    """The lists of the last call, which was one chunk."""
    tiles = -(-tokens // longview.TILE_ROWS)
    blocks = attention._buffers["blocks"]
    pitch = (-(-tokens // longview.BLOCK_KEYS) + 7) // 8 * 8
    return blocks[: heads * tiles * pitch].view(heads, tiles, pitch)


def test_attention_over_the_lists(library):
    for tokens, heads, kv_heads, dim in SHAPES:
        query, key, value = make(tokens, tokens, heads, kv_heads, dim)
        attention = SampleAttention(library, settings())
        output, counts = attention(query, key, value)
        shares = densities(counts, tokens)
        assert 0 < shares.min() and shares.max() < 1, f"densities {shares.tolist()}"
        rows = torch.arange(0, tokens, 37, device="cuda")
        mask = key_mask(lists_of(attention, heads, tokens), counts, rows, tokens)
        check_errors(output[rows], query, key, value, rows, mask)
        attention.close()


def test_chunks_give_the_same_bits(library):
    query, key, value = make(2048, 2048, 12, 2, 128)
    whole = SampleAttention(library, settings())
    chunks = SampleAttention(library, settings(), chunk_tokens=640)
    output, counts = whole(query, key, value)
    in_chunks, counts_of_chunks = chunks(query, key, value)
    check_same_bits(in_chunks, output, "in chunks of 640")
    assert (counts == counts_of_chunks).all()
    whole.close()
    chunks.close()


def test_everything_kept_is_dense(library):
    query, key, value = make(1024, 1024, 12, 2, 128)
    everything = SampleAttention(library, longview.SelectionSettings(alpha=1.0))
    output, counts = everything(query, key, value)
    assert densities(counts, 1024).min() == 1
    rows = torch.arange(0, 1024, 5, device="cuda")
    check_errors(output[rows], query, key, value, rows)
    dense = DenseAttention(library)
    check_errors(dense(query, key, value)[rows], query, key, value, rows)
    everything.close()
    dense.close()


def test_a_dense_tail(library):
    query, key, value = make(1024, 1024, 12, 2, 128)
    attention = SampleAttention(library, settings())
    counts = attention(query, key, value, dense_from=512)[1]
    tiles = torch.arange(8, device="cuda")
    assert (counts[:, 4:] == (tiles[4:] + 1) * 2).all(), "a tile of the tail does not read everything"
    assert (counts[:, 3] < 8).any()
    attention.close()


def test_defaults_are_those_of_the_library(library):
    theirs = longview.SelectionSettings()
    ctypes.memset(ctypes.byref(theirs), 0xFF, ctypes.sizeof(theirs))
    library.longview_selection_defaults(ctypes.byref(theirs))
    assert bytes(theirs) == bytes(longview.SelectionSettings())


def test_mistakes_are_told(library):
    check_refused(
        lambda: SampleAttention(library, longview.SelectionSettings(strategy=3)),
        "strategy 3 is not between 0 and 2",
    )
    query, key, value = make(256, 256, 12, 2, 96)
    attention = SampleAttention(library, settings())
    try:
        attention(query, key, value)
    except longview.LongviewError as error:
        assert "head_dim 96" in str(error) and error.status == 1, f"{error.status}: {error}"
    else:
        raise AssertionError("accepted a head dim of 96")
    attention.close()


def run_all(library, only=""):
    """Runs the tests; returns the names of those that failed."""
    suite = (globals(), "C interface", lambda: nullcontext(longview.load(library)))
    return run_suites([suite], only)


if __name__ == "__main__":
    main(run_all, __doc__)
