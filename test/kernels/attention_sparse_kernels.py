"""Sparse prefill and its CPU oracle, called on torch tensors through the C interface, and the lists
of key blocks that it takes."""

import ctypes
import math

import torch

from attention_kernels import AttentionKernels, _prefill_params, _stream
from longview_attention import BLOCK_KEYS, TILE_ROWS, SparsePrefill
from longview_attention import Lists as ListsOfCall

MAX_QUERY_TILES = 1 << 16


class _OracleLists(ctypes.Structure):
    """AttentionBlocks of the oracle; begins as the kernels' lists do."""

    _fields_ = [
        *ListsOfCall._fields_,
        ("tile_rows", ctypes.c_int),
        ("block_keys", ctypes.c_int),
        ("average_dropped", ctypes.c_int),
    ]


class _Positions(ctypes.Structure):
    _fields_ = [
        ("positions", ctypes.c_void_p),
        ("counts", ctypes.c_void_p),
        ("capacity", ctypes.c_int),
    ]


class _Buffers(ctypes.Structure):
    _fields_ = [
        ("key", ctypes.c_void_p),
        ("value", ctypes.c_void_p),
        ("visible", ctypes.c_void_p),
    ]


class Columns(ctypes.Structure):
    """GatheredColumns."""

    _fields_ = [
        ("key", ctypes.c_void_p),
        ("value", ctypes.c_void_p),
        ("visible", ctypes.c_void_p),
        ("capacity", ctypes.c_int),
    ]


class Averages(ctypes.Structure):
    """BlockAverages; AverageBuffers has this layout, too."""

    _fields_ = [
        ("key", ctypes.c_void_p),
        ("value", ctypes.c_void_p),
        ("dropped", ctypes.c_void_p),
    ]


class Lists:
    """BlockLists of a mask [heads, tiles, blocks], true where a tile attends to a block. Entries
    behind the end of a list are numbers that must not be followed."""

    def __init__(self, mask):
        self.mask = mask
        heads, tiles, blocks = mask.shape
        pitch = math.ceil(blocks / 8) * 8
        numbers = torch.arange(blocks, device=mask.device, dtype=torch.int32)
        ascending = torch.where(mask, numbers, 65535).sort(-1).values
        padded = torch.full((heads, tiles, pitch), 65535, device=mask.device, dtype=torch.int32)
        padded[:, :, :blocks] = ascending
        self.blocks = padded.to(torch.uint16)
        self.counts = mask.sum(-1, dtype=torch.int32)

    def tiles(self, begin, end, blocks):
        """The lists of some tiles, over the first `blocks` blocks alone."""
        return Lists(self.mask[:, begin:end, :blocks])

    def cpu(self):
        return Lists(self.mask.cpu())

    def params(self, **overrides):
        fields = {
            "blocks": self.blocks.data_ptr(),
            "counts": self.counts.data_ptr(),
            "tiles": self.mask.shape[1],
            "max_blocks": self.blocks.shape[2],
        }
        return ListsOfCall(**{**fields, **overrides})

    def oracle_params(self, average_dropped):
        params = self.params()
        fields = {name: getattr(params, name) for name, _ in params._fields_}
        return _OracleLists(**fields, tile_rows=TILE_ROWS, block_keys=BLOCK_KEYS, average_dropped=average_dropped)


def visible_blocks(q_len, kv_len, device="cuda"):
    """[tiles, blocks] twice: what a tile may see, and what lies beside its own positions."""
    tiles, blocks = math.ceil(q_len / TILE_ROWS), math.ceil(kv_len / BLOCK_KEYS)
    first = kv_len - q_len + torch.arange(tiles, device=device)[:, None] * TILE_ROWS
    start = torch.arange(blocks, device=device)[None, :] * BLOCK_KEYS
    seen = start < first + TILE_ROWS
    return seen, seen & (start >= first)


class SparseKernels(AttentionKernels):
    """Owns one SparsePrefill, and a DensePrefill beside it."""

    def __init__(self, path, portable=False, max_query_tiles=MAX_QUERY_TILES):
        super().__init__(path, portable)
        self.path = path
        self._sparse = SparsePrefill(self._library, max_query_tiles, portable)

    def close(self):
        super().close()
        self._sparse.close()

    def sparse_prefill(
        self, query, key, value, output, lists, block_table=None, columns=None, /, **overrides
    ):
        """As dense_prefill, over the blocks of `lists`, Lists or its params(), and over `columns`."""
        params = _prefill_params(query, key, value, output, block_table, **overrides)
        lists = lists.params() if isinstance(lists, Lists) else lists
        if columns is None:
            self._sparse.run(params, lists, _stream())
            return output
        self._call(
            "longview_sparse_prefill_run_columns",
            self._sparse.handle,
            ctypes.byref(params),
            ctypes.byref(lists),
            ctypes.byref(columns),
            _stream(),
        )
        return output

    def gather_columns(self, query, key, value, lists, positions, block_table=None, /, **overrides):
        """Columns of `positions`, a list of ascending int32 tensors, one for each head; and the
        tensors that hold them: key, value [heads, capacity, dim], visible [heads, tiles]."""
        heads, dim = query.shape[1:]
        counts = torch.tensor([len(each) for each in positions], device="cuda", dtype=torch.int32)
        capacity = max(math.ceil(max(map(len, positions)) / BLOCK_KEYS), 1) * BLOCK_KEYS
        padded = torch.full((heads, capacity), 2**30, device="cuda", dtype=torch.int32)
        for head, each in enumerate(positions):
            padded[head, : len(each)] = each
        poison = lambda: torch.full((heads, capacity, dim), math.nan, device="cuda").bfloat16()
        gathered, visible = (poison(), poison()), torch.full_like(lists.counts, -1)
        columns = Columns()
        params = _prefill_params(query, key, value, query, block_table, **overrides)
        self._call(
            "longview_gather_columns",
            ctypes.byref(params),
            ctypes.byref(lists.params()),
            ctypes.byref(_Positions(padded.data_ptr(), counts.data_ptr(), capacity)),
            ctypes.byref(_Buffers(*(x.data_ptr() for x in (*gathered, visible)))),
            ctypes.byref(columns),
            _stream(),
        )
        torch.cuda.synchronize()  # the positions are not kept
        return columns, (*gathered, visible)

    def sparse_prefill_averages(
        self, query, key, value, output, lists, averages, block_table=None, /, **overrides
    ):
        """As sparse_prefill, with `averages` for the blocks that are not in `lists`."""
        params = _prefill_params(query, key, value, output, block_table, **overrides)
        self._call(
            "longview_sparse_prefill_run_averages",
            self._sparse.handle,
            ctypes.byref(params),
            ctypes.byref(lists.params()),
            ctypes.byref(averages),
            _stream(),
        )
        return output

    def average_buffers(self, key, lists):
        """Tensors for averages of key and value [blocks, KV heads, dim], and for the bits of dropped
        blocks [heads, tiles, words]; poisoned."""
        blocks = lists.mask.shape[2]
        means = [
            torch.full((blocks, *key.shape[1:]), math.nan, device="cuda").bfloat16() for _ in "kv"
        ]
        pitch = math.ceil(blocks / 384) * 12
        return *means, torch.full((*lists.counts.shape, pitch), -1, device="cuda").int()

    def average_blocks(
        self, query, key, value, lists, block_table=None, buffers=None, /, **overrides
    ):
        """Averages, and the tensors that hold them: `buffers`, or new ones."""
        buffers = buffers or self.average_buffers(key, lists)
        averages = Averages()
        params = _prefill_params(query, key, value, query, block_table, **overrides)
        self._call(
            "longview_average_blocks",
            ctypes.byref(params),
            ctypes.byref(lists.params()),
            ctypes.byref(Averages(*(x.data_ptr() for x in buffers))),
            ctypes.byref(averages),
            _stream(),
        )
        return averages, buffers

    def sparse_reference(self, query, key, value, lists, average_dropped=False):
        """The oracle: fp32 tensors and Lists on the CPU."""
        output = torch.full_like(query, math.nan)
        params = _prefill_params(query, key, value, output, None)
        lists = lists.oracle_params(int(average_dropped))
        self._library.longview_reference_sparse_attention(ctypes.byref(params), ctypes.byref(lists))
        return output
