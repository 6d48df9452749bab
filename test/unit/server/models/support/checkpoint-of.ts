import { dequantize } from '../../../../../server/models/gguf/dequantize';
import { openGguf } from '../../../../../server/models/gguf/open-gguf';
import { readModelSpec } from '../../../../../server/models/read-model-spec';
import type { Checkpoint, SafetensorsTensor } from './write-safetensors';

const LAYER: Record<string, string> = {
  attn_norm: 'input_layernorm',
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_output: 'self_attn.o_proj',
  ffn_norm: 'post_attention_layernorm',
  ffn_gate: 'mlp.gate_proj',
  ffn_up: 'mlp.up_proj',
  ffn_down: 'mlp.down_proj',
};

/** Few tokens; its texts do not matter to the weights. */
const TOKENIZER = {
  model: { type: 'BPE', vocab: { a: 0, b: 1, ab: 2 }, merges: [['a', 'b']] },
  added_tokens: [{ id: 3, content: '<|im_end|>', special: true }],
  pre_tokenizer: {
    type: 'Sequence',
    pretokenizers: [
      { type: 'Digits', individual_digits: true },
      { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    ],
  },
};

/** Rounded to the nearest, ties to even, as frameworks do. */
function bf16Bytes(values: Float32Array): Uint8Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = Uint16Array.from(bits, (value) => (value + 0x7fff + ((value >>> 16) & 1)) >>> 16);
  return new Uint8Array(halves.buffer);
}

/** The same in BF16. */
export function inBf16(checkpoint: Checkpoint): Checkpoint {
  const tensors = checkpoint.tensors.map(({ bytes, ...rest }) => ({
    ...rest,
    dtype: 'BF16',
    bytes: bf16Bytes(new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)),
  }));
  return { ...checkpoint, tensors };
}

/** The checkpoint in F32 that transformers would have of the weights of a Qwen2 GGUF file. */
export async function checkpointOf(path: string): Promise<Checkpoint> {
  const gguf = await openGguf(path);
  try {
    const spec = readModelSpec(gguf);
    const tensors: SafetensorsTensor[] = [];
    for (const { name, type, dims, elementCount } of gguf.tensors.values()) {
      const values = dequantize(type, await gguf.readTensor(name), elementCount);
      const bytes = new Uint8Array(values.buffer);
      tensors.push({ name: transformersName(name), dtype: 'F32', shape: [...dims].reverse(), bytes });
    }
    const config = {
      model_type: spec.architecture,
      hidden_act: 'silu',
      hidden_size: spec.hiddenSize,
      intermediate_size: spec.feedForwardSize,
      num_hidden_layers: spec.layerCount,
      num_attention_heads: spec.headCount,
      num_key_value_heads: spec.kvHeadCount,
      max_position_embeddings: spec.trainedContextTokens,
      rms_norm_eps: spec.rmsNormEpsilon,
      rope_theta: spec.ropeBase,
      rope_scaling: null,
      tie_word_embeddings: spec.tiedEmbedding,
      use_sliding_window: false,
    };
    return { config, tokenizer: TOKENIZER, tokenizerConfig: { eos_token: '<|im_end|>' }, tensors };
  } finally {
    await gguf.close();
  }
}

function transformersName(name: string): string {
  if (name === 'token_embd.weight') return 'model.embed_tokens.weight';
  if (name === 'output_norm.weight') return 'model.norm.weight';
  if (name === 'output.weight') return 'lm_head.weight';
  const [, layer = '', part = '', kind = ''] = name.split('.');
  return `model.layers.${layer}.${LAYER[part] ?? part}.${kind}`;
}
