"""Writes how fast each pair of a head turns, as Hugging Face transformers computes it:

    VENV/bin/python scripts/goldens/rope/make.py test/fixtures/rope.json          (requirements: ../onnx)

A list of {name, headDim, base, yarn?, divisors?, radians, attentionFactor}; `divisors` is what a GGUF file of Llama 3
stores, `radians` are float32, as transformers has them.
"""

import json
import pathlib
import sys

import torch
from transformers import LlamaConfig, Qwen2Config
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "onnx"))
from gguf_to_transformers import llama3_divisors

LLAMA3 = {
    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192, "rope_theta": 500000.0,
}  # fmt: skip


def yarn(factor, original, base):
    return {
        "rope_type": "yarn", "factor": factor, "original_max_position_embeddings": original, "rope_theta": base,
    }  # fmt: skip


CASES = {
    "Qwen2.5-Coder 1.5B, YaRN": (Qwen2Config, 1536, 12, yarn(4.0, 32768, 1e6)),
    "heads of 64, YaRN": (Qwen2Config, 128, 2, yarn(16.0, 4096, 1e4)),
    "Llama 3.1": (LlamaConfig, 4096, 32, LLAMA3),
}


def case(name, config_class, hidden, heads, rope):
    config = config_class(
        hidden_size=hidden,
        num_attention_heads=heads,
        max_position_embeddings=int(rope["original_max_position_embeddings"] * rope["factor"]),
        rope_parameters=rope,
    )
    radians, attention_factor = ROPE_INIT_FUNCTIONS[rope["rope_type"]](config, torch.device("cpu"))
    golden = {"name": name, "headDim": hidden // heads, "base": rope["rope_theta"]}
    if rope["rope_type"] == "yarn":
        golden["yarn"] = {"factor": rope["factor"], "original": rope["original_max_position_embeddings"]}
    else:
        golden["divisors"] = llama3_divisors(hidden // heads, rope).tolist()
    return {**golden, "radians": radians.tolist(), "attentionFactor": attention_factor}


goldens = [case(name, *spec) for name, spec in CASES.items()]
pathlib.Path(sys.argv[1]).write_text(json.dumps(goldens, indent=1) + "\n")
