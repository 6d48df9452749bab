"""The products in fp8 and their oracle, called on torch tensors through the C interface.

The structures mirror kernels/gemm/fp8/params.h.
"""

import ctypes

import torch

from gemm_kernels import MESSAGE_SIZE, NONE, KernelError

E4M3 = torch.float8_e4m3fn

pointer, integer, real = ctypes.c_void_p, ctypes.c_int, ctypes.c_float


class _QuantizeParams(ctypes.Structure):
    _fields_ = [
        ("input", pointer),
        ("norm_weight", pointer),
        ("norm_epsilon", real),
        ("output", pointer),
        ("scales", pointer),
        ("rows", integer),
        ("features", integer),
    ]


class _ProductParams(ctypes.Structure):
    _fields_ = [
        ("activations", pointer),
        ("activation_scales", pointer),
        ("weights", pointer),
        ("weight_scales", pointer),
        ("output", pointer),
        ("bias", pointer),
        ("residual", pointer),
        ("epilogue", integer),
        ("tokens", integer),
        ("in_features", integer),
        ("out_features", integer),
    ]


def _address(tensor):
    return None if tensor is None else tensor.data_ptr()


def _filled(params, fields, overrides):
    for name, value in {**fields, **overrides}.items():
        setattr(params, name, value)
    return params


class Fp8GemmKernels:
    """Owns one Fp8Gemm of the shared library `path`."""

    def __init__(self, path, portable=False):
        self._library = ctypes.CDLL(path)
        self._library.longview_fp8_gemm_destroy.argtypes = [ctypes.c_void_p]
        self._gemm = ctypes.c_void_p()
        self._call("longview_fp8_gemm_create", ctypes.byref(self._gemm), int(portable))

    def close(self):
        self._library.longview_fp8_gemm_destroy(self._gemm)

    def quantize(self, source, output, scales, norm_weight=None, epsilon=0.0, /, **overrides):
        """source bf16 [rows, features], output e4m3 likewise; scales fp32 [rows]."""
        fields = {
            "input": source.data_ptr(),
            "norm_weight": _address(norm_weight),
            "norm_epsilon": epsilon,
            "output": output.data_ptr(),
            "scales": scales.data_ptr(),
            "rows": source.shape[0],
            "features": source.shape[1],
        }
        self._enqueue("longview_fp8_quantize", _filled(_QuantizeParams(), fields, overrides))

    def quantized(self, source, norm_weight=None, epsilon=0.0):
        """(e4m3, scales) of bf16 rows."""
        output = torch.empty(source.shape, device="cuda", dtype=E4M3)
        scales = torch.empty(source.shape[0], device="cuda")
        self.quantize(source, output, scales, norm_weight, epsilon)
        return output, scales

    def gemm(
        self, activations, weights, output, epilogue=NONE, bias=None, residual=None, /, **overrides
    ):
        """activations, weights: (e4m3, scales); output, residual: bf16; bias: fp32."""
        fields = {
            "activations": activations[0].data_ptr(),
            "activation_scales": activations[1].data_ptr(),
            "weights": weights[0].data_ptr(),
            "weight_scales": weights[1].data_ptr(),
            "output": output.data_ptr(),
            "bias": _address(bias),
            "residual": _address(residual),
            "epilogue": epilogue,
            "tokens": activations[0].shape[0],
            "in_features": activations[0].shape[1],
            "out_features": weights[0].shape[0],
        }
        self._enqueue("longview_fp8_gemm_run", _filled(_ProductParams(), fields, overrides))
        return output

    def reference_quantized(self, source, norm_weight=None, epsilon=0.0):
        """The oracle, on fp32 tensors of the CPU."""
        output = torch.empty(source.shape, dtype=E4M3)
        scales = torch.empty(source.shape[0])
        self._library.longview_reference_quantize_rows(
            pointer(source.data_ptr()),
            pointer(_address(norm_weight)),
            real(epsilon),
            pointer(output.data_ptr()),
            pointer(scales.data_ptr()),
            *source.shape,
        )
        return output, scales

    def _enqueue(self, name, params):
        stream = pointer(torch.cuda.current_stream().cuda_stream)
        self._call(name, self._gemm, ctypes.byref(params), stream)

    def _call(self, name, *arguments):
        message = ctypes.create_string_buffer(MESSAGE_SIZE)
        if getattr(self._library, name)(*arguments, message, MESSAGE_SIZE) != 0:
            raise KernelError(message.value.decode())
