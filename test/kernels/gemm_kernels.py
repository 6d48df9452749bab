"""The linear layers' products and their CPU oracle, called on torch tensors through the C interface."""

import ctypes
import math

import torch

MESSAGE_SIZE = 512
SWIGLU_ROW_BLOCK = 8
NONE, BIAS, RESIDUAL, SWIGLU = range(4)


class _Params(ctypes.Structure):
    """gemm::GemmParams. GemmParams of the oracle ends with one more member."""

    _fields_ = [
        ("activations", ctypes.c_void_p),
        ("weights", ctypes.c_void_p),
        ("output", ctypes.c_void_p),
        ("bias", ctypes.c_void_p),
        ("residual", ctypes.c_void_p),
        ("epilogue", ctypes.c_int),
        ("tokens", ctypes.c_int),
        ("in_features", ctypes.c_int),
        ("out_features", ctypes.c_int),
    ]


class _ReferenceParams(_Params):
    _fields_ = [("swiglu_row_block", ctypes.c_int)]


class KernelError(RuntimeError):
    """What the library reports instead of a result."""


def _fill(params, activations, weights, output, epilogue, bias, residual, overrides):
    fields = {
        "activations": activations.data_ptr(),
        "weights": weights.data_ptr(),
        "output": output.data_ptr(),
        "bias": None if bias is None else bias.data_ptr(),
        "residual": None if residual is None else residual.data_ptr(),
        "epilogue": epilogue,
        "tokens": activations.shape[0],
        "in_features": activations.shape[1],
        "out_features": weights.shape[0],
    }
    for name, value in {**fields, **overrides}.items():
        setattr(params, name, value)
    return params


class GemmKernels:
    """Owns one Gemm of the shared library `path`."""

    def __init__(self, path, portable=False):
        self._library = ctypes.CDLL(path)
        self._library.longview_gemm_destroy.argtypes = [ctypes.c_void_p]
        self._gemm = ctypes.c_void_p()
        self._call("longview_gemm_create", ctypes.byref(self._gemm), int(portable))

    def close(self):
        self._library.longview_gemm_destroy(self._gemm)

    def gemm(
        self, activations, weights, output, epilogue=NONE, bias=None, residual=None, /, **overrides
    ):
        """activations [tokens, in], weights [out, in], output, residual: bf16; bias fp32 [out]."""
        params = _fill(_Params(), activations, weights, output, epilogue, bias, residual, overrides)
        stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
        self._call("longview_gemm_run", self._gemm, ctypes.byref(params), stream)
        return output

    def reference(self, activations, weights, epilogue=NONE, bias=None, residual=None):
        """The oracle: fp32 tensors on the CPU."""
        columns = weights.shape[0] // (2 if epilogue == SWIGLU else 1)
        output = torch.full((activations.shape[0], columns), math.nan)
        params = _ReferenceParams(swiglu_row_block=SWIGLU_ROW_BLOCK)
        _fill(params, activations, weights, output, epilogue, bias, residual, {})
        self._library.longview_reference_gemm(ctypes.byref(params))
        return output

    def _call(self, name, *arguments):
        message = ctypes.create_string_buffer(MESSAGE_SIZE)
        if getattr(self._library, name)(*arguments, message, MESSAGE_SIZE) != 0:
            raise KernelError(message.value.decode())
