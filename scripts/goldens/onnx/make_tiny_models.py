"""Writes tiny random GGUF models of each family, and their logits by Hugging Face transformers in double
precision:

    python3 -m venv VENV && VENV/bin/pip install -r scripts/goldens/onnx/requirements.txt
    VENV/bin/python scripts/goldens/onnx/make_tiny_models.py test/fixtures/onnx

Each model `NAME.gguf` comes with `NAME.json`: {tokens, vocabSize, logits}, the logits of every position as
little-endian float32 in base64.
"""

import base64
import json
import pathlib
import sys

import numpy as np
import torch
from gguf import GGMLQuantizationType as Type
from gguf import GGUFWriter
from gguf.constants import GGML_QUANT_SIZES
from gguf.quants import dequantize, quantize

from gguf_to_transformers import interleaved, load

VOCAB = 96
TOKENS = 40

# Matrices not named take the format of `rest`.
MODELS = {
    "qwen2-tied-f32": dict(arch="qwen2", hidden=64, heads=4, kv=2, ffn=96, layers=2, tied=True, formats=dict(rest=Type.F32)),
    "llama-untied-f16": dict(arch="llama", hidden=64, heads=4, kv=2, ffn=96, layers=2, tied=False, formats=dict(rest=Type.F16)),
    "qwen2-untied-q5-q8-q4_1": dict(
        arch="qwen2", hidden=64, heads=4, kv=1, ffn=96, layers=2, tied=False,
        formats={"token_embd": Type.Q5_0, "output": Type.Q8_0, "attn_v": Type.Q8_0, "ffn_down": Type.Q4_1, "rest": Type.Q5_0},
    ),
    "llama-tied-q4k-q6k": dict(
        arch="llama", hidden=256, heads=4, kv=2, ffn=256, layers=1, tied=True,
        formats={"attn_v": Type.Q6_K, "ffn_down": Type.Q6_K, "rest": Type.Q4_K},
    ),
}


class TinyModel:
    def __init__(self, name, arch, hidden, heads, kv, ffn, layers, tied, formats):
        self.random = np.random.default_rng(sorted(MODELS).index(name) + 1)
        self.arch, self.heads, self.kv, self.formats = arch, heads, kv, formats
        self.writer = GGUFWriter(None, arch)
        writer = self.writer
        writer.add_name(name)
        writer.add_block_count(layers)
        writer.add_context_length(512)
        writer.add_embedding_length(hidden)
        writer.add_feed_forward_length(ffn)
        writer.add_head_count(heads)
        writer.add_head_count_kv(kv)
        writer.add_layer_norm_rms_eps(1e-5)
        writer.add_rope_freq_base(10000.0)
        kv_size = hidden // heads * kv
        self.matrix("token_embd", VOCAB, hidden, spread=1.0)
        if not tied:
            self.matrix("output", VOCAB, hidden)
        self.norm("output_norm", hidden)
        for layer in range(layers):
            block = f"blk.{layer}."
            self.norm(block + "attn_norm", hidden)
            self.norm(block + "ffn_norm", hidden)
            # Sharper than usual, so that attention picks out positions and an error of theirs shows.
            self.matrix(block + "attn_q", hidden, hidden, spread=2.0, permuted_heads=heads)
            self.matrix(block + "attn_k", kv_size, hidden, spread=2.0, permuted_heads=kv)
            self.matrix(block + "attn_v", kv_size, hidden)
            self.matrix(block + "attn_output", hidden, hidden)
            self.matrix(block + "ffn_gate", ffn, hidden)
            self.matrix(block + "ffn_up", ffn, hidden)
            self.matrix(block + "ffn_down", hidden, ffn)
            if arch == "qwen2":
                for part, size in (("attn_q", hidden), ("attn_k", kv_size), ("attn_v", kv_size)):
                    self.vector(f"{block}{part}.bias", self.random.normal(0, 0.3, size))

    def matrix(self, name, rows, columns, spread=None, permuted_heads=None):
        kind = self.formats.get(name.split(".")[-1], self.formats["rest"])
        deviation = (1 if spread is None else spread) / (1 if name == "token_embd" else np.sqrt(columns))
        if kind in (Type.Q4_K, Type.Q6_K):
            data = self.random_k_blocks(kind, rows, columns, deviation)
        else:
            data = quantize(self.random.normal(0, deviation, (rows, columns)).astype(np.float32), kind)
        if self.arch == "llama" and permuted_heads:
            data = interleaved(data, permuted_heads)
        self.writer.add_tensor(name + ".weight", data, raw_dtype=kind)

    def random_k_blocks(self, kind, rows, columns, deviation):
        """Random blocks of a format that the `gguf` package can read but not make."""
        elements, size = GGML_QUANT_SIZES[kind]
        blocks = self.random.integers(0, 256, (rows * columns // elements, size), dtype=np.uint8)
        halves = {Type.Q4_K: (0, 2), Type.Q6_K: (208, 210)}[kind]
        blocks[:, halves[0] : halves[1]] = np.frombuffer(np.float16(1).tobytes(), np.uint8)
        if kind == Type.Q4_K:
            # A minimum of 7.5 scales puts the values around zero.
            blocks[:, 2:4] = np.frombuffer(np.float16(7.5).tobytes(), np.uint8)
        scale = np.float16(deviation / dequantize(blocks, kind).std())
        blocks[:, halves[0] : halves[1]] = np.frombuffer(scale.tobytes(), np.uint8)
        if kind == Type.Q4_K:
            blocks[:, 2:4] = np.frombuffer(np.float16(7.5 * scale).tobytes(), np.uint8)
        return blocks.reshape(rows, -1)

    def norm(self, name, size):
        self.vector(name + ".weight", 1 + self.random.normal(0, 0.1, size))

    def vector(self, name, values):
        self.writer.add_tensor(name, values.astype(np.float32))

    def write(self, path):
        self.writer.write_header_to_file(path)
        self.writer.write_kv_data_to_file()
        self.writer.write_tensors_to_file()
        self.writer.close()


def main(out_dir):
    out_dir.mkdir(parents=True, exist_ok=True)
    for name, shape in MODELS.items():
        path = out_dir / f"{name}.gguf"
        TinyModel(name, **shape).write(path)
        model = load(path, torch.float64)
        tokens = np.random.default_rng(7).integers(0, VOCAB, TOKENS).tolist()
        with torch.no_grad():
            logits = model(torch.tensor([tokens])).logits[0].numpy().astype("<f4")
        golden = {"tokens": tokens, "vocabSize": VOCAB, "logits": base64.b64encode(logits.tobytes()).decode()}
        (out_dir / f"{name}.json").write_text(json.dumps(golden))
        print(f"{name}: {path.stat().st_size} bytes, logits from {logits.min():.2f} to {logits.max():.2f}")


main(pathlib.Path(sys.argv[1]))
