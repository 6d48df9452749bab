"""Block selection and its CPU oracle, called on torch tensors through the C interface."""

import ctypes
import math

import torch

from attention_kernels import KV_BLOCK_TOKENS, _stream
import longview_attention
from longview_attention import (
    BLOCK_KEYS,
    BOTH,
    COLUMNS,
    FILTERING,
    NEVER,
    SAMPLING,
    STRIPS,
    TILE_ROWS,
    TILES,
    BlockSelector,
    Heads,
    SelectionCall,
    SelectionSettings as Settings,
)

GROUP_ROWS = 64


def _structure(name, **fields):
    return type(name, (ctypes.Structure,), {"_fields_": list(fields.items())})


_int, _float, _pointer = ctypes.c_int, ctypes.c_float, ctypes.c_void_p

_OracleShape = _structure(
    "_OracleShape",
    q_len=_int,
    kv_len=_int,
    num_heads=_int,
    num_kv_heads=_int,
    head_dim=_int,
    softmax_scale=_float,
    pooled_keys=_int,
    dense_from=_int,
)
_OracleSampling = _structure(
    "_OracleSampling",
    query=_pointer,
    key=_pointer,
    rows=_pointer,
    row_count=_int,
    row_masses=_pointer,
    shape=_OracleShape,
)
_OracleTensors = _structure(
    "_OracleTensors",
    row_masses=_pointer,
    row_count=_int,
    pitch=_int,
    head_alpha=_pointer,
    blocks=_pointer,
    counts=_pointer,
    max_blocks=_int,
)
_OracleTiles = _structure(
    "_OracleTiles",
    sampled_rows=_int,
    maximum_score=_int,
    alpha=_float,
    count_forced_mass=_int,
    sink_blocks=_int,
    window_tokens=_int,
    min_blocks=_int,
    max_blocks=_int,
    dense_above=_float,
)
_OracleStrips = _structure(
    "_OracleStrips",
    strip_blocks=_int,
    slashes=_int,
    alpha_columns=_float,
    alpha_slashes=_float,
    sink_blocks=_int,
    window_tokens=_int,
)


def blocks_of(tokens):
    return math.ceil(tokens / BLOCK_KEYS)


def tiles_of(q_len):
    return math.ceil(q_len / TILE_ROWS)


def mass_pitch(kv_len):
    return math.ceil(math.ceil(kv_len / KV_BLOCK_TOKENS) * 10 / 80) * 80


def sampled_rows(settings, q_len):
    """Rows of a call in the order of the workspace, in groups of 64; those from q_len on do not exist."""
    if settings.strategy == STRIPS:
        segment = settings.strips.segment_tokens
        groups = math.ceil(q_len / segment) if q_len >= GROUP_ROWS else 0
        starts = [min((g + 1) * segment, q_len) - GROUP_ROWS for g in range(groups)]
        return torch.tensor([s + i for s in starts for i in range(GROUP_ROWS)], dtype=torch.int32)
    tiled = settings.strategy == TILES
    step = TILE_ROWS // settings.tiles.sampled_rows if tiled else settings.columns.row_step
    count = math.ceil(q_len // step / GROUP_ROWS) * GROUP_ROWS
    return (torch.arange(1, count + 1, dtype=torch.int32)) * step - 1


def pooled_cache(pool_blocks, kv_heads, dim, pooled_keys):
    """Full of NaN, as memory may be."""
    rows = pool_blocks * KV_BLOCK_TOKENS // pooled_keys
    return torch.full((rows, kv_heads, dim), math.nan, device="cuda", dtype=torch.bfloat16)


class Lists:
    """Blocks of [heads, tiles], on either device."""

    def __init__(self, heads, tiles, max_blocks, device):
        self.blocks = torch.full(
            (heads, tiles, max_blocks), -1, dtype=torch.int16, device=device
        )
        self.counts = torch.full((heads, tiles), -1, dtype=torch.int32, device=device)

    def params(self, max_blocks):
        blocks, counts = self.blocks.data_ptr(), self.counts.data_ptr()
        return longview_attention.Lists(blocks, counts, self.blocks.shape[1], max_blocks)

    def mask(self):
        """bool [heads, tiles, max_blocks] on the CPU; checks that lists ascend."""
        blocks = self.blocks.cpu().int() & 0xFFFF
        counts = self.counts.cpu()
        places = torch.arange(blocks.shape[2])
        listed = places < counts[:, :, None]
        ascends = (blocks[:, :, 1:] > blocks[:, :, :-1]) | ~listed[:, :, 1:]
        assert ascends.all(), "a list does not ascend"
        assert (counts > 0).all(), "an empty list"
        mask = torch.zeros(*blocks.shape[:2], blocks.shape[2] + 1, dtype=torch.bool)
        mask.scatter_(2, torch.where(listed, blocks, blocks.shape[2]).long(), True)
        return mask[:, :, :-1]


class Selector:
    """Owns one BlockSelector of the shared library `path`."""

    def __init__(self, path, settings, portable=False):
        self.settings = settings
        self._library = longview_attention.load(path)
        self._selector = BlockSelector(self._library, settings, portable)

    def close(self):
        self._selector.close()

    def workspace(self, query_shape, kv_heads, kv_len):
        """Full of NaN, as bf16."""
        q_len, heads, dim = query_shape
        size = self._selector.workspace_bytes(Heads(heads, kv_heads, dim), q_len, kv_len)
        return torch.full((max(size // 2, 8),), math.nan, device="cuda", dtype=torch.bfloat16)

    def masses(self, workspace, query_shape, kv_len):
        """What stage 1 left there: bf16 [heads, sampled rows, pitch]."""
        rows, pitch = len(sampled_rows(self.settings, query_shape[0])), mass_pitch(kv_len)
        count = query_shape[1] * rows * pitch
        return workspace[:count].view(query_shape[1], rows, pitch)

    def run(self, query, key, pooled_key, kv_len, workspace, lists, stages=BOTH, /, **overrides):
        """query [q_len, heads, dim]; key contiguous or a pool (then `block_table` is among the
        overrides, and `pool_blocks`)."""
        for tensor in (query, key, pooled_key):
            assert tensor.is_contiguous()
        for name in ("block_table", "head_alpha"):
            if isinstance(overrides.get(name), torch.Tensor):
                overrides[name] = overrides[name].data_ptr()
        q_len, heads, dim = query.shape
        fields = {
            "query": query.data_ptr(),
            "key": key.data_ptr(),
            "pooled_key": pooled_key.data_ptr(),
            "q_len": q_len,
            "kv_len": kv_len,
            "heads": Heads(heads, key.shape[1], dim),
            "softmax_scale": 1 / math.sqrt(dim),
            "pool_blocks": key.shape[0] // KV_BLOCK_TOKENS,
            "pool_from": kv_len - q_len,
            "dense_from": NEVER,
            "workspace": workspace.data_ptr(),
            "lists": lists.params(max_blocks=overrides.pop("max_blocks", lists.blocks.shape[2])),
        }
        params = SelectionCall(**{**fields, **overrides})
        self._selector.run(params, stages, _stream())

    def oracle_masses(self, query, key):
        """fp32 tensors on the CPU, keys contiguous; [heads, rows that exist, blocks]."""
        rows = sampled_rows(self.settings, query.shape[0])
        rows = rows[rows < query.shape[0]].contiguous()
        result = torch.full((query.shape[1], len(rows), blocks_of(key.shape[0])), math.nan)
        self._library.longview_reference_sampled_masses(
            ctypes.byref(
                _OracleSampling(
                    query.data_ptr(),
                    key.data_ptr(),
                    rows.data_ptr(),
                    len(rows),
                    result.data_ptr(),
                    self._oracle_shape(query.shape, key.shape[1], key.shape[0], NEVER),
                )
            )
        )
        return result

    def oracle_filter(
        self, row_masses, query_shape, kv_heads, kv_len, dense_from=NEVER, head_alpha=None
    ):
        """row_masses fp32 [heads, rows, pitch] on the CPU; returns lists and masses: of tiles'
        blocks, or of columns and slashes."""
        assert row_masses.is_contiguous()
        ours = self.settings
        max_blocks = math.ceil(blocks_of(kv_len) / 8) * 8
        lists = Lists(query_shape[1], tiles_of(query_shape[0]), max_blocks, "cpu")
        tensors = _OracleTensors(
            row_masses.data_ptr(),
            row_masses.shape[1],
            row_masses.shape[2],
            None if head_alpha is None else head_alpha.data_ptr(),
            lists.blocks.data_ptr(),
            lists.counts.data_ptr(),
            max_blocks,
        )
        shape = self._oracle_shape(query_shape, kv_heads, kv_len, dense_from)
        if ours.strategy == TILES:
            masses = torch.zeros(lists.blocks.shape, dtype=torch.int32)
            settings = _OracleTiles(
                ours.tiles.sampled_rows,
                ours.tiles.score,
                ours.alpha,
                ours.count_forced_mass,
                ours.sink_blocks,
                ours.window_tokens,
                ours.min_blocks,
                ours.max_blocks,
                ours.dense_above,
            )
            self._library.longview_reference_filter_tiles(
                ctypes.byref(tensors),
                ctypes.byref(shape),
                ctypes.byref(settings),
                ctypes.c_void_p(masses.data_ptr()),
            )
            return lists, masses
        strips = ours.strategy == STRIPS
        share = 0 if strips else math.ceil(
            float(torch.tensor(ours.columns.window_share) * torch.tensor(float(kv_len)))
        )
        settings = _OracleStrips(
            2 if strips else 1,
            int(strips),
            ours.alpha,
            ours.strips.alpha_slashes,
            ours.sink_blocks,
            max(ours.window_tokens, share),
        )
        masses = torch.zeros((query_shape[1], 2, max_blocks), dtype=torch.int32)
        rows = sampled_rows(ours, query_shape[0])
        self._library.longview_reference_filter_strips(
            ctypes.byref(tensors),
            ctypes.c_void_p(rows.data_ptr()),
            ctypes.byref(shape),
            ctypes.byref(settings),
            ctypes.c_void_p(masses.data_ptr()),
        )
        return lists, masses

    def _oracle_shape(self, query_shape, kv_heads, kv_len, dense_from):
        q_len, heads, dim = query_shape
        pooled_keys = self.settings.pooled_keys
        return _OracleShape(
            q_len, kv_len, heads, kv_heads, dim, 1 / math.sqrt(dim), pooled_keys, dense_from
        )
