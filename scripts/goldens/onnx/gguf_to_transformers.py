"""Runs the weights of a GGUF file in Hugging Face transformers: the independent answer to compare with."""

import numpy as np
import torch
from gguf import GGUFReader, dequantize
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

FAMILIES = {
    "qwen2": (Qwen2Config, Qwen2ForCausalLM),
    "qwen3": (Qwen3Config, Qwen3ForCausalLM),
    "llama": (LlamaConfig, LlamaForCausalLM),
}

LAYER_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def load(path, dtype=torch.float32, rope=None):
    """The model of a GGUF file, its weights dequantised by the `gguf` package. `rope`: scaling of its positions, as
    transformers names it."""
    reader = GGUFReader(path)
    architecture = reader.fields["general.architecture"].contents()

    def key(name):
        field = reader.fields.get(f"{architecture}.{name}")
        return None if field is None else field.contents()

    tensors = {tensor.name: tensor for tensor in reader.tensors}
    heads, kv_heads = key("attention.head_count"), key("attention.head_count_kv")
    config_class, model_class = FAMILIES[architecture]
    key_length = key("attention.key_length")
    config = config_class(
        vocab_size=int(tensors["token_embd.weight"].shape[1]),
        hidden_size=key("embedding_length"),
        intermediate_size=key("feed_forward_length"),
        num_hidden_layers=key("block_count"),
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        max_position_embeddings=key("context_length"),
        rms_norm_eps=key("attention.layer_norm_rms_epsilon"),
        rope_parameters={"rope_type": "default", "rope_theta": key("rope.freq_base"), **(rope or {})},
        tie_word_embeddings="output.weight" not in tensors,
        attn_implementation="eager",
        **({} if key_length is None else {"head_dim": key_length}),
    )
    state = {}
    for name, tensor in tensors.items():
        if name == "rope_freqs.weight":
            continue
        values = dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        if architecture == "llama" and ".attn_q." in name:
            values = half_split(values, heads)
        if architecture == "llama" and ".attn_k." in name:
            values = half_split(values, kv_heads)
        state[transformers_name(name)] = torch.from_numpy(values.copy()).to(dtype)
    with torch.device("meta"):
        model = model_class(config)
    if config.tie_word_embeddings:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    model.load_state_dict(state, assign=True, strict=True)
    # Buffers are not in the file: make the table of positions where the weights are.
    model.model.rotary_emb = type(model.model.rotary_emb)(config=config)
    return model.eval()


def llama3_divisors(head_dim, rope):
    """What converters of Llama 3 write as `rope_freqs.weight`: `[head_dim / 2]`."""
    frequencies = rope["rope_theta"] ** (-np.arange(0, head_dim, 2) / head_dim)
    turns = rope["original_max_position_embeddings"] * frequencies / (2 * np.pi)
    low, high = rope["low_freq_factor"], rope["high_freq_factor"]
    kept = np.clip((turns - low) / (high - low), 0, 1)
    return (1 / (kept + (1 - kept) / rope["factor"])).astype(np.float32)


def half_split(values, heads):
    """Undoes the order for interleaved rotary positions that llama-architecture files store."""
    dim = values.shape[0] // heads // 2
    return values.reshape(heads, dim, 2, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)


def interleaved(values, heads):
    """The opposite of `half_split`: the order that a llama-architecture file stores."""
    dim = values.shape[0] // heads // 2
    return values.reshape(heads, 2, dim, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)


def transformers_name(name):
    if name == "token_embd.weight":
        return "model.embed_tokens.weight"
    if name == "output_norm.weight":
        return "model.norm.weight"
    if name == "output.weight":
        return "lm_head.weight"
    _, layer, part, kind = name.split(".")
    return f"model.layers.{layer}.{LAYER_NAMES[part]}.{kind}"
