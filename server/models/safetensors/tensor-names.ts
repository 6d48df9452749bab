const OUTER: Readonly<Record<string, string>> = {
  'model.embed_tokens.weight': 'token_embd.weight',
  'model.norm.weight': 'output_norm.weight',
  'lm_head.weight': 'output.weight',
};

const LAYER: Readonly<Record<string, string>> = {
  input_layernorm: 'attn_norm',
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output',
  'self_attn.q_norm': 'attn_q_norm',
  'self_attn.k_norm': 'attn_k_norm',
  post_attention_layernorm: 'ffn_norm',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
};

/** The name that a GGUF file gives a tensor of transformers; one that it does not know stays as it is. */
export function ggufTensorName(name: string): string {
  const outer = OUTER[name];
  if (outer !== undefined) return outer;
  const [, layer, part, kind] = /^model\.layers\.(\d+)\.(.+)\.(weight|bias)$/.exec(name) ?? [];
  const known = part === undefined ? undefined : LAYER[part];
  return known === undefined ? name : `blk.${layer ?? ''}.${known}.${kind ?? ''}`;
}

/** Tables that old checkpoints carry, and that are computed here. */
export function isComputed(name: string): boolean {
  return name.endsWith('.rotary_emb.inv_freq');
}
