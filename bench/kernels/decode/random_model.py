"""Writes a GGUF file of random weights in the shape and formats of Qwen2.5-Coder-1.5B-Instruct Q4_K_M.

    python3 bench/kernels/decode/random_model.py FILE

For measuring time where the model itself is not at hand. Matrices are random codes under small scales.
"""

import struct
import sys
from pathlib import Path

import numpy as np

HIDDEN, FEED_FORWARD, LAYERS, HEADS, KV_HEADS, HEAD_DIM, VOCABULARY = 1536, 8960, 28, 12, 2, 128, 151936
CONTEXT = 131072
F32, Q4_K, Q6_K = 0, 12, 14
BLOCK_BYTES = {Q4_K: 144, Q6_K: 210}
BLOCK_ELEMENTS = 256
ALIGNMENT = 32
U32, FLOAT32, STRING = 4, 6, 8


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def metadata():
    entries = [
        ("general.architecture", STRING, "qwen2"),
        ("general.name", STRING, "random weights, 1.5B"),
        ("qwen2.block_count", U32, LAYERS),
        ("qwen2.context_length", U32, CONTEXT),
        ("qwen2.embedding_length", U32, HIDDEN),
        ("qwen2.feed_forward_length", U32, FEED_FORWARD),
        ("qwen2.attention.head_count", U32, HEADS),
        ("qwen2.attention.head_count_kv", U32, KV_HEADS),
        ("qwen2.attention.layer_norm_rms_epsilon", FLOAT32, 1e-6),
        ("qwen2.rope.freq_base", FLOAT32, 1e6),
    ]
    pack = {U32: lambda v: struct.pack("<I", v), FLOAT32: lambda v: struct.pack("<f", v), STRING: text}
    return len(entries), b"".join(
        text(key) + struct.pack("<I", kind) + pack[kind](value) for key, kind, value in entries
    )


def tensors():
    """name, shape with the fastest dimension first, format"""
    yield "token_embd.weight", (HIDDEN, VOCABULARY), Q6_K
    yield "output_norm.weight", (HIDDEN,), F32
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        # Q4_K_M keeps the values and the down projection of half the layers in Q6_K.
        finer = Q6_K if layer < LAYERS // 8 or layer % 3 == 2 else Q4_K
        yield block + "attn_norm.weight", (HIDDEN,), F32
        yield block + "ffn_norm.weight", (HIDDEN,), F32
        for name, rows, kind in (
            ("attn_q", HEADS * HEAD_DIM, Q4_K),
            ("attn_k", KV_HEADS * HEAD_DIM, Q4_K),
            ("attn_v", KV_HEADS * HEAD_DIM, finer),
        ):
            yield f"{block}{name}.weight", (HIDDEN, rows), kind
            yield f"{block}{name}.bias", (rows,), F32
        yield block + "attn_output.weight", (HEADS * HEAD_DIM, HIDDEN), Q4_K
        yield block + "ffn_gate.weight", (HIDDEN, FEED_FORWARD), Q4_K
        yield block + "ffn_up.weight", (HIDDEN, FEED_FORWARD), Q4_K
        yield block + "ffn_down.weight", (FEED_FORWARD, HIDDEN), finer


def size_of(shape, kind):
    count = int(np.prod(shape))
    return 4 * count if kind == F32 else count // BLOCK_ELEMENTS * BLOCK_BYTES[kind]


def padded(size):
    return -size % ALIGNMENT


def data_of(name, shape, kind, random):
    count = int(np.prod(shape))
    if kind == F32:
        is_norm = "norm" in name
        values = np.ones(count) if is_norm else random.standard_normal(count) * 0.1
        return values.astype("<f4").tobytes()
    blocks = random.integers(0, 256, (count // BLOCK_ELEMENTS, BLOCK_BYTES[kind]), dtype=np.uint8)
    # A weight is about 0.02 large: codes of 4 bits less a minimum under scales of 6 bits, or codes of
    # 6 bits under scales of 8.
    if kind == Q4_K:
        scales = np.array([0.0001, 0.00075], dtype="<f2")
        blocks[:, :4] = scales.view(np.uint8)
    else:
        blocks[:, 208:] = np.array([0.00002], dtype="<f2").view(np.uint8)
    return blocks.tobytes()


def write(path):
    random = np.random.default_rng(1)
    count, header = metadata()
    infos, offset = b"", 0
    for name, shape, kind in tensors():
        infos += text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape)
        infos += struct.pack("<IQ", kind, offset)
        offset += size_of(shape, kind) + padded(size_of(shape, kind))
    head = b"GGUF" + struct.pack("<IQQ", 3, len(list(tensors())), count) + header + infos
    with open(path, "wb") as file:
        file.write(head + bytes(padded(len(head))))
        for name, shape, kind in tensors():
            data = data_of(name, shape, kind, random)
            file.write(data + bytes(padded(len(data))))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
