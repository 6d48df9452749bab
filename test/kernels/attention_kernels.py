"""The attention kernels and their CPU oracle, called on torch tensors through the C interface."""

import ctypes
import math

import torch

MESSAGE_SIZE = 512


class _Params(ctypes.Structure):
    """DensePrefillParams, and AttentionParams of the oracle: both have this layout."""

    _fields_ = [
        ("query", ctypes.c_void_p),
        ("key", ctypes.c_void_p),
        ("value", ctypes.c_void_p),
        ("output", ctypes.c_void_p),
        ("q_len", ctypes.c_int),
        ("kv_len", ctypes.c_int),
        ("num_heads", ctypes.c_int),
        ("num_kv_heads", ctypes.c_int),
        ("head_dim", ctypes.c_int),
        ("softmax_scale", ctypes.c_float),
    ]


def _params(query, key, value, output, /, **overrides):
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
    }
    return _Params(**{**fields, **overrides})


class KernelError(RuntimeError):
    """What the library reports instead of a result."""


class AttentionKernels:
    """Owns one DensePrefill of the shared library `path`."""

    def __init__(self, path):
        self._library = ctypes.CDLL(path)
        self._library.longview_dense_prefill_destroy.argtypes = [ctypes.c_void_p]
        self._prefill = ctypes.c_void_p()
        self._call("longview_dense_prefill_create", ctypes.byref(self._prefill))

    def close(self):
        self._library.longview_dense_prefill_destroy(self._prefill)

    def dense_prefill(self, query, key, value, output, /, **overrides):
        """query, output [q_len, heads, dim]; key, value [kv_len, kv_heads, dim]; bf16 on the GPU."""
        params = _params(query, key, value, output, **overrides)
        stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
        self._call("longview_dense_prefill_run", self._prefill, ctypes.byref(params), stream)
        return output

    def reference(self, query, key, value):
        """The oracle: fp32 tensors on the CPU."""
        output = torch.full_like(query, math.nan)
        params = _params(query, key, value, output)
        self._library.longview_reference_attention(ctypes.byref(params))
        return output

    def _call(self, name, *arguments):
        message = ctypes.create_string_buffer(MESSAGE_SIZE)
        if getattr(self._library, name)(*arguments, message, MESSAGE_SIZE) != 0:
            raise KernelError(message.value.decode())


def causal_mask(rows, q_len, kv_len):
    """[len(rows), kv_len], true where query row may see the key; rows are on the GPU."""
    keys = torch.arange(kv_len, device=rows.device)
    return keys[None, :] <= rows[:, None] + (kv_len - q_len)


def exact_rows(query, key, value, rows):
    """Attention of some query rows in fp64: [len(rows), heads, dim]."""
    mask = causal_mask(rows, query.shape[0], key.shape[0])
    group = query.shape[1] // key.shape[1]
    out = []
    for head in range(query.shape[1]):
        scores = query[rows, head].double() @ key[:, head // group].double().T
        scores = scores / math.sqrt(query.shape[2])
        weights = scores.masked_fill_(~mask, -math.inf).softmax(-1)
        out.append(weights @ value[:, head // group].double())
    return torch.stack(out, dim=1)


def torch_rows(query, key, value, rows):
    """The same rows by torch's bf16 attention."""
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
