"""A tiny random model as a GGUF file."""

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import GGUFWriter
from gguf.constants import GGML_QUANT_SIZES
from gguf.quants import dequantize, quantize

from gguf_to_transformers import interleaved, llama3_divisors


class TinyModel:
    """Random weights. `head_dim` is `hidden / heads` unless it is given; `formats` maps the last part of a matrix's
    name to its format, `rest` the others. `llama3`: scaling of the positions, as transformers names it."""

    def __init__(
        self,
        name,
        seed,
        vocab,
        arch,
        hidden,
        heads,
        kv,
        ffn,
        layers,
        tied,
        formats,
        head_dim=None,
        context=512,
        llama3=None,
    ):
        self.random = np.random.default_rng(seed)
        self.arch, self.heads, self.kv, self.formats = arch, heads, kv, formats
        self.writer = GGUFWriter(None, arch)
        writer = self.writer
        writer.add_name(name)
        writer.add_block_count(layers)
        writer.add_context_length(context)
        writer.add_embedding_length(hidden)
        writer.add_feed_forward_length(ffn)
        writer.add_head_count(heads)
        writer.add_head_count_kv(kv)
        writer.add_layer_norm_rms_eps(1e-5)
        writer.add_rope_freq_base(10000.0)
        if head_dim:
            writer.add_key_length(head_dim)
            writer.add_value_length(head_dim)
        query_size = (head_dim or hidden // heads) * heads
        kv_size = query_size // heads * kv
        self.matrix("token_embd", vocab, hidden, spread=1.0)
        if not tied:
            self.matrix("output", vocab, hidden)
        self.norm("output_norm", hidden)
        if llama3:
            self.vector("rope_freqs.weight", llama3_divisors(query_size // heads, llama3))
        for layer in range(layers):
            block = f"blk.{layer}."
            self.norm(block + "attn_norm", hidden)
            self.norm(block + "ffn_norm", hidden)
            # Sharper than usual, so that attention picks out positions and an error of theirs shows.
            self.matrix(block + "attn_q", query_size, hidden, spread=2.0, permuted_heads=heads)
            self.matrix(block + "attn_k", kv_size, hidden, spread=2.0, permuted_heads=kv)
            self.matrix(block + "attn_v", kv_size, hidden)
            self.matrix(block + "attn_output", hidden, query_size)
            self.matrix(block + "ffn_gate", ffn, hidden)
            self.matrix(block + "ffn_up", ffn, hidden)
            self.matrix(block + "ffn_down", hidden, ffn)
            if arch == "qwen3":
                self.norm(block + "attn_q_norm", query_size // heads)
                self.norm(block + "attn_k_norm", query_size // heads)
            if arch == "qwen2":
                for part, size in (("attn_q", query_size), ("attn_k", kv_size), ("attn_v", kv_size)):
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
