"""Dequantisation and the decoder's operations, called on torch tensors through the C interface.

The structures mirror kernels/quant/params.h and kernels/decoder/ops/**/params.h.
"""

import ctypes
import enum

import torch

MESSAGE_SIZE = 512
KV_BLOCK_TOKENS = 640


class Format(enum.IntEnum):
    """ggml's numbers."""

    F32 = 0
    F16 = 1
    Q4_1 = 3
    Q5_0 = 6
    Q8_0 = 8
    Q4_K = 12
    Q6_K = 14
    BF16 = 30


# Elements and bytes of a block, and where in it halves lie.
LAYOUTS = {
    Format.F32: (1, 4, ()),
    Format.F16: (1, 2, (0,)),
    Format.Q4_1: (32, 20, (0, 2)),
    Format.Q5_0: (32, 22, (0,)),
    Format.Q8_0: (32, 34, (0,)),
    Format.Q4_K: (256, 144, (0, 2)),
    Format.Q6_K: (256, 210, (208,)),
    Format.BF16: (1, 2, ()),
}


def structure(name, **fields):
    return type(name, (ctypes.Structure,), {"_fields_": list(fields.items())})


pointer, integer, real, double = ctypes.c_void_p, ctypes.c_int, ctypes.c_float, ctypes.c_double

WeightMatrix = structure(
    "WeightMatrix", data=pointer, format=integer, rows=integer, columns=integer
)
RowMap = structure("RowMap", block=integer, step=integer, offset=integer)
DequantizeParams = structure(
    "DequantizeParams",
    source=WeightMatrix,
    destination=pointer,
    destination_stride=ctypes.c_int64,
    row_map=RowMap,
)
EmbeddingParams = structure(
    "EmbeddingParams", table=WeightMatrix, token_ids=pointer, output=pointer, tokens=integer
)
RmsNormParams = structure(
    "RmsNormParams",
    input=pointer,
    weight=pointer,
    output=pointer,
    tokens=integer,
    features=integer,
    epsilon=real,
)
SwigluParams = structure(
    "SwigluParams", gate_up=pointer, output=pointer, tokens=integer, features=integer
)
RopeKvParams = structure(
    "RopeKvParams",
    qkv=pointer,
    query=pointer,
    key_pool=pointer,
    value_pool=pointer,
    block_table=pointer,
    first_position=pointer,
    cos=pointer,
    sin=pointer,
    query_norm=pointer,
    key_norm=pointer,
    norm_epsilon=real,
    pairs=integer,
    tokens=integer,
    num_heads=integer,
    num_kv_heads=integer,
    head_dim=integer,
)
GemvInput = structure("GemvInput", values=pointer, norm_weight=pointer, norm_epsilon=real)
GemvParams = structure(
    "GemvParams",
    weight=WeightMatrix,
    input=GemvInput,
    bias=pointer,
    residual=pointer,
    output=pointer,
    output_type=integer,
)
SwigluGemvParams = structure(
    "SwigluGemvParams",
    gate=WeightMatrix,
    up=WeightMatrix,
    gate_rows=RowMap,
    up_rows=RowMap,
    input=GemvInput,
    output=pointer,
    features=integer,
)
QkvGemvParams = structure(
    "QkvGemvParams", weight=WeightMatrix, input=GemvInput, bias=pointer, rope=RopeKvParams
)
SamplerState = structure(
    "SamplerState",
    temperature=double,
    top_p=double,
    top_k=ctypes.c_int32,
    random=ctypes.c_uint32 * 4,
    random_before=ctypes.c_uint32 * 4,
)
SampleParams = structure(
    "SampleParams",
    logits=pointer,
    candidates=integer,
    state=pointer,
    result=pointer,
    next_token=pointer,
    next_position=pointer,
    next_kv_len=pointer,
    workspace=pointer,
)
PlainRopeSpec = structure(
    "PlainRopeSpec",
    head_dim=integer,
    base=double,
    scaling=integer,
    factor=double,
    original_context_tokens=integer,
    low_frequency_factor=double,
    high_frequency_factor=double,
    beta_fast=double,
    beta_slow=double,
    attention_factor=double,
)

IDENTITY = RowMap(1, 1, 0)


def address(tensor):
    if tensor is None:
        return None
    assert tensor.is_contiguous()
    return tensor.data_ptr()


def matrix(data, rows, columns, kind=Format.BF16):
    return WeightMatrix(address(data), kind, rows, columns)


def gemv_input(values, norm=None, epsilon=1e-6):
    return GemvInput(address(values), address(norm), 0.0 if norm is None else epsilon)


class KernelError(RuntimeError):
    """What the library reports instead of a result."""


class OpsKernels:
    """The functions of the shared library `path`; all but the oracles run on torch's current stream."""

    def __init__(self, path):
        self._library = ctypes.CDLL(path)
        self._library.longview_sample_workspace_bytes.restype = ctypes.c_int64

    def enqueue(self, name, params):
        """Calls longview_<name> on a filled structure."""
        stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
        self._call(f"longview_{name}", ctypes.byref(params), stream)

    def rope_frequencies(self, spec):
        """[head_dim / 2] doubles and the attention factor."""
        radians = (ctypes.c_double * (spec.head_dim // 2))()
        factor = ctypes.c_double()
        self._call("longview_rope_frequencies", ctypes.byref(spec), radians, ctypes.byref(factor))
        return torch.tensor(list(radians), dtype=torch.float64), factor.value

    def rope_tables(self, radians, factor, positions):
        """cos and sin [positions, pairs], fp32 on the GPU."""
        tables = [
            torch.full((positions, len(radians)), float("nan"), device="cuda") for _ in range(2)
        ]
        self._call(
            "longview_fill_rope_tables",
            ctypes.c_void_p(address(radians)),
            len(radians),
            ctypes.c_double(factor),
            *(ctypes.c_void_p(address(table)) for table in tables),
            positions,
            ctypes.c_void_p(torch.cuda.current_stream().cuda_stream),
        )
        return tables

    def seeded_sampler(self, temperature, top_k, top_p, seed):
        """A SamplerState as bytes on the GPU."""
        state = SamplerState()
        self._library.longview_seeded_sampler(
            ctypes.c_double(temperature),
            top_k,
            ctypes.c_double(top_p),
            ctypes.c_double(seed),
            ctypes.byref(state),
        )
        return torch.frombuffer(bytearray(bytes(state)), dtype=torch.uint8).cuda()

    def sample_workspace_bytes(self, candidates):
        return self._library.longview_sample_workspace_bytes(candidates)

    def reference_dequantize(self, kind, blocks, count):
        """fp32 on the CPU from bytes on the CPU."""
        values = torch.full((count,), float("nan"))
        self._call(
            "longview_reference_dequantize",
            int(kind),
            ctypes.c_void_p(address(blocks)),
            ctypes.c_int64(count),
            ctypes.c_void_p(address(values)),
        )
        return values

    def _call(self, name, *arguments):
        message = ctypes.create_string_buffer(MESSAGE_SIZE)
        if getattr(self._library, name)(*arguments, message, MESSAGE_SIZE) != 0:
            raise KernelError(message.value.decode())
