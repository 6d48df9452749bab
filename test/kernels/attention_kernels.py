"""The attention kernels and their CPU oracle, called on torch tensors through the C interface."""

import ctypes
import math
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "kernels" / "capi" / "python"))

import longview_attention
from longview_attention import KV_BLOCK_TOKENS, DensePrefill, PrefillCall
from longview_attention import LongviewError as KernelError


class _DecodeShape(ctypes.Structure):
    _fields_ = [
        ("max_kv_len", ctypes.c_int),
        ("num_heads", ctypes.c_int),
        ("num_kv_heads", ctypes.c_int),
        ("head_dim", ctypes.c_int),
    ]


class _Decode(ctypes.Structure):
    _fields_ = [
        ("query", ctypes.c_void_p),
        ("key", ctypes.c_void_p),
        ("value", ctypes.c_void_p),
        ("block_table", ctypes.c_void_p),
        ("kv_len", ctypes.c_void_p),
        ("workspace", ctypes.c_void_p),
        ("output", ctypes.c_void_p),
        ("shape", _DecodeShape),
        ("softmax_scale", ctypes.c_float),
    ]


def _prefill_params(query, key, value, output, block_table, /, **overrides):
    for tensor in (query, key, value, output):
        assert tensor.is_contiguous()
    fields = {
        "query": query.data_ptr(),
        "key": key.data_ptr(),
        "value": value.data_ptr(),
        "output": output.data_ptr(),
        "q_len": query.shape[0],
        "kv_len": key.shape[0],
        "num_heads": query.shape[1],
        "num_kv_heads": key.shape[1],
        "head_dim": query.shape[2],
        "softmax_scale": 1 / math.sqrt(query.shape[2]),
        "block_table": None if block_table is None else block_table.data_ptr(),
        "pool_blocks": key.shape[0] // KV_BLOCK_TOKENS,
    }
    # AttentionParams of the oracle has this layout, too, but its last member is the number of tokens in a block.
    return PrefillCall(**{**fields, **overrides})


def _stream():
    return ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)


class AttentionKernels:
    """Owns one DensePrefill of the shared library `path`; flash decode needs no owner."""

    def __init__(self, path, portable=False):
        self._library = longview_attention.load(path)
        self._prefill = DensePrefill(self._library, portable)

    def close(self):
        self._prefill.close()

    def dense_prefill(self, query, key, value, output, block_table=None, /, **overrides):
        """query, output [q_len, heads, dim]; key, value [kv_len, kv_heads, dim]; bf16 on the GPU.
        With a block table, key and value are pools, and kv_len must be among the overrides."""
        params = _prefill_params(query, key, value, output, block_table, **overrides)
        self._prefill.run(params, _stream())
        return output

    def decode_workspace_bytes(self, max_kv_len, num_heads, num_kv_heads, head_dim):
        shape = _DecodeShape(max_kv_len, num_heads, num_kv_heads, head_dim)
        size = ctypes.c_size_t()
        self._call("longview_decode_workspace_bytes", ctypes.byref(shape), ctypes.byref(size))
        return size.value

    def flash_decode(
        self,
        query,
        key,
        value,
        output,
        kv_len,
        max_kv_len,
        workspace,
        block_table=None,
        /,
        **overrides,
    ):
        """query, output [heads, dim]; key, value [rows, kv_heads, dim]; kv_len int32 [1] on the GPU."""
        for tensor in (query, key, value, output, workspace):
            assert tensor.is_contiguous()
        fields = {
            "query": query.data_ptr(),
            "key": key.data_ptr(),
            "value": value.data_ptr(),
            "block_table": None if block_table is None else block_table.data_ptr(),
            "kv_len": kv_len.data_ptr(),
            "workspace": workspace.data_ptr(),
            "output": output.data_ptr(),
            "shape": _DecodeShape(max_kv_len, query.shape[0], key.shape[1], query.shape[1]),
            "softmax_scale": 1 / math.sqrt(query.shape[1]),
        }
        params = _Decode(**{**fields, **overrides})
        self._call("longview_flash_decode", ctypes.byref(params), _stream())
        return output

    def reference(self, query, key, value, block_table=None, /, **overrides):
        """The oracle: fp32 tensors and an int32 block table on the CPU."""
        output = torch.full_like(query, math.nan)
        params = _prefill_params(query, key, value, output, block_table, **overrides)
        params.pool_blocks = KV_BLOCK_TOKENS
        self._library.longview_reference_attention(ctypes.byref(params))
        return output

    def _call(self, name, *arguments):
        longview_attention.call(self._library, name, *arguments)


def causal_mask(rows, q_len, kv_len):
    """[len(rows), kv_len], true where query row may see the key; rows are on the GPU."""
    keys = torch.arange(kv_len, device=rows.device)
    return keys[None, :] <= rows[:, None] + (kv_len - q_len)


def exact_rows(query, key, value, rows, mask=None):
    """Attention of some query rows in fp64: [len(rows), heads, dim]. `mask` [heads, len(rows), kv_len]
    is true where a row may see a key; without, attention is causal."""
    if mask is None:
        mask = causal_mask(rows, query.shape[0], key.shape[0]).expand(query.shape[1], -1, -1)
    group = query.shape[1] // key.shape[1]
    out = []
    for head in range(query.shape[1]):
        scores = query[rows, head].double() @ key[:, head // group].double().T
        scores = scores / math.sqrt(query.shape[2])
        weights = scores.masked_fill_(~mask[head], -math.inf).softmax(-1)
        out.append(weights @ value[:, head // group].double())
    return torch.stack(out, dim=1)


def torch_rows(query, key, value, rows, mask=None):
    """The same rows by torch's bf16 attention."""
    if mask is None:
        mask = causal_mask(rows, query.shape[0], key.shape[0])
    group = query.shape[1] // key.shape[1]
    heads_first = lambda x: x.transpose(0, 1)[None]
    out = torch.nn.functional.scaled_dot_product_attention(
        heads_first(query[rows]),
        heads_first(key.repeat_interleave(group, 1)),
        heads_first(value.repeat_interleave(group, 1)),
        attn_mask=mask,
    )
    return out[0].transpose(0, 1)
