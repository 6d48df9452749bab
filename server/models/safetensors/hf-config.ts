import { z } from 'zod';
import type { GgufValue } from '../gguf/gguf-file';
import { modelCorrupt, modelUnsupported } from '../model-errors';
import { ROPE_IN_HALVES } from '../read-model-spec';

const ANOTHER = 'Use a checkpoint of the Qwen2, Qwen2.5, Qwen3 or Llama family, or a GGUF file.';

/** The scaling of positions, by the names of transformers 4 (`rope_scaling`) and 5 (`rope_parameters`). */
const Rope = z.looseObject({
  rope_type: z.string().optional(),
  type: z.string().optional(),
  rope_theta: z.number().optional(),
  factor: z.number().optional(),
  original_max_position_embeddings: z.number().optional(),
  attention_factor: z.number().nullish(),
  beta_fast: z.number().nullish(),
  beta_slow: z.number().nullish(),
  low_freq_factor: z.number().optional(),
  high_freq_factor: z.number().optional(),
});
type Rope = z.infer<typeof Rope>;

const Config = z.looseObject({
  model_type: z.string(),
  hidden_size: z.number(),
  intermediate_size: z.number(),
  num_hidden_layers: z.number(),
  num_attention_heads: z.number(),
  num_key_value_heads: z.number().nullish(),
  head_dim: z.number().nullish(),
  max_position_embeddings: z.number(),
  rms_norm_eps: z.number(),
  rope_theta: z.number().nullish(),
  rope_scaling: Rope.nullish(),
  rope_parameters: Rope.nullish(),
  hidden_act: z.string().optional(),
  tie_word_embeddings: z.boolean().optional(),
  use_sliding_window: z.boolean().optional(),
});
type Config = z.infer<typeof Config>;

/** A key and what it holds, if anything. */
type Item = [key: string, value: GgufValue | null | undefined];

/** What a `config.json` says of a model, in the keys of a GGUF header. */
export interface HfConfig {
  metadata: Map<string, GgufValue>;
  /** The head is the embedding, whatever else the files hold. */
  isTied: boolean;
  /** Llama 3: divides the frequency of each pair of a head. */
  ropeDivisors?: Float32Array;
}

/** @throws LongviewError `modelCorrupt`, `modelUnsupported` */
export function readHfConfig(value: unknown, path: string, name: string): HfConfig {
  const parsed = Config.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw modelCorrupt(path, `${issue?.path.join('.') ?? 'it'}: ${issue?.message ?? 'not a configuration'}`);
  }
  const config = parsed.data;
  refuseVariants(config, path);
  const rope = config.rope_parameters ?? config.rope_scaling ?? {};
  const kind = rope.rope_type ?? rope.type ?? 'default';
  const key = (suffix: string): string => `${config.model_type}.${suffix}`;
  const entries: Item[] = [
    ['general.architecture', config.model_type],
    ['general.name', name],
    [ROPE_IN_HALVES, true],
    [key('block_count'), config.num_hidden_layers],
    [key('context_length'), contextLength(config, rope, kind)],
    [key('embedding_length'), config.hidden_size],
    [key('feed_forward_length'), config.intermediate_size],
    [key('attention.head_count'), config.num_attention_heads],
    [key('attention.head_count_kv'), config.num_key_value_heads],
    [key('attention.key_length'), config.head_dim],
    [key('attention.value_length'), config.head_dim],
    [key('attention.layer_norm_rms_epsilon'), config.rms_norm_eps],
    [key('rope.freq_base'), rope.rope_theta ?? config.rope_theta],
    ...scalingEntries(config, rope, kind).map(([suffix, item]): Item => [key(suffix), item]),
  ];
  const metadata = new Map<string, GgufValue>();
  for (const [entry, item] of entries) if (item !== undefined && item !== null) metadata.set(entry, item);
  return {
    metadata,
    isTied: config.tie_word_embeddings ?? false,
    ...(kind === 'llama3' && { ropeDivisors: llama3Divisors(config, rope, path) }),
  };
}

/** Variants that share a family's tensors but compute something else. */
function refuseVariants({ hidden_act, use_sliding_window }: Config, path: string): void {
  if (hidden_act !== undefined && hidden_act !== 'silu')
    throw modelUnsupported(path, `its activation is ${hidden_act}`, ANOTHER);
  if (use_sliding_window) throw modelUnsupported(path, 'it attends within a sliding window', ANOTHER);
}

/** With YaRN in the configuration, all that it reaches. */
function contextLength(config: Config, rope: Rope, kind: string): number {
  const { max_position_embeddings: longest } = config;
  if (kind !== 'yarn') return longest;
  return Math.max(longest, (rope.original_max_position_embeddings ?? longest) * (rope.factor ?? 1));
}

function scalingEntries(config: Config, rope: Rope, kind: string): Item[] {
  // Llama 3's is in the divisors.
  if (kind === 'default' || kind === 'llama3') return [];
  if (kind !== 'yarn') return [['rope.scaling.type', kind]];
  const { factor = Number.NaN, attention_factor } = rope;
  const isOther = rope['mscale'] !== undefined || rope['mscale_all_dim'] !== undefined;
  return [
    ['rope.scaling.type', 'yarn'],
    ['rope.scaling.factor', factor],
    [
      'rope.scaling.original_context_length',
      rope.original_max_position_embeddings ?? config.max_position_embeddings,
    ],
    // GGUF keeps what the attention's scale is multiplied by, transformers the scale itself.
    ['rope.scaling.attn_factor', attention_factor && attention_factor / (0.1 * Math.log(factor) + 1)],
    ['rope.scaling.yarn_beta_fast', rope.beta_fast],
    ['rope.scaling.yarn_beta_slow', rope.beta_slow],
    ['rope.scaling.yarn_log_multiplier', isOther ? 1 : undefined],
  ];
}

/** As converters write them into GGUF files: 1 for fast pairs, the factor for slow ones, between for the rest. */
function llama3Divisors(config: Config, rope: Rope, path: string): Float32Array {
  const {
    factor,
    low_freq_factor: low,
    high_freq_factor: high,
    original_max_position_embeddings: original,
  } = rope;
  const base = rope.rope_theta ?? config.rope_theta;
  if (!factor || low === undefined || high === undefined || !original || !base || !(low < high))
    throw modelCorrupt(path, 'its scaling of positions ("llama3") is not complete');
  const headDim = config.head_dim ?? config.hidden_size / config.num_attention_heads;
  return Float32Array.from({ length: headDim / 2 }, (_, pair) => {
    const turns = (original * base ** ((-2 * pair) / headDim)) / (2 * Math.PI);
    const kept = Math.min(Math.max((turns - low) / (high - low), 0), 1);
    return 1 / (kept + (1 - kept) / factor);
  });
}
