import { basename } from 'node:path';
import type { GgufFile, GgufTensor, GgufValue } from './gguf/gguf-file';
import { modelCorrupt, modelUnsupported } from './model-errors';
import type { ModelSpec } from './model-spec';
import { type YarnScaling, yarnScaling } from './rope-scaling';

const ARCHITECTURES: readonly ModelSpec['architecture'][] = ['qwen2', 'qwen3', 'llama'];
const USE_ANOTHER_MODEL = 'Use a model of the Qwen2, Qwen2.5, Qwen3 or Llama family, such as Qwen2.5-Coder.';
const DEFAULT_ROPE_BASE = 10_000;

/** A checkpoint of the Llama family whose Q and K rows lie in halves, as Hugging Face stores them. */
export const ROPE_IN_HALVES = 'longview.rope_in_halves';

/** Where files of Llama 3 keep the scaling of their positions. */
export const ROPE_DIVISORS = 'rope_freqs.weight';

/**
 * The shape of the model in a GGUF file, checked against its tensors: what this returns can be run.
 *
 * @throws LongviewError `modelUnsupported` for another architecture or a variant that Longview does not
 * compute, `modelCorrupt` for a missing key and for a missing or ill-shaped tensor
 */
export function readModelSpec(gguf: GgufFile): ModelSpec {
  const architecture = readArchitecture(gguf);
  const keys = new ArchitectureKeys(gguf, architecture);
  refuseVariants(gguf, keys);
  const yarn = yarnOf(gguf, keys);
  const hiddenSize = keys.positiveInteger('embedding_length');
  const headCount = keys.positiveInteger('attention.head_count');
  const spec: ModelSpec = {
    architecture,
    name: nameOf(gguf),
    layerCount: keys.positiveInteger('block_count'),
    hiddenSize,
    feedForwardSize: keys.positiveInteger('feed_forward_length'),
    headCount,
    kvHeadCount: keys.positiveInteger('attention.head_count_kv', headCount),
    headDim: keys.positiveInteger('attention.key_length', hiddenSize / headCount),
    vocabSize: vocabSizeOf(gguf),
    trainedContextTokens: keys.positiveInteger('context_length'),
    ropeBase: keys.positiveNumber('rope.freq_base', DEFAULT_ROPE_BASE),
    ...(yarn && { yarn }),
    rmsNormEpsilon: keys.positiveNumber('attention.layer_norm_rms_epsilon'),
    tiedEmbedding: !gguf.tensors.has('output.weight'),
    qkvBias: architecture === 'qwen2' || gguf.tensors.has('blk.0.attn_q.bias'),
    qkNorm: architecture === 'qwen3',
    interleavedRope: architecture === 'llama' && gguf.metadata.get(ROPE_IN_HALVES) !== true,
  };
  checkHeads(gguf, keys, spec);
  checkTensors(gguf, spec);
  return spec;
}

/** Metadata keys under the architecture's prefix, such as `qwen2.block_count`. */
class ArchitectureKeys {
  constructor(
    private readonly gguf: GgufFile,
    private readonly architecture: string,
  ) {}

  positiveInteger(key: string, absent?: number): number {
    const value = this.positiveNumber(key, absent);
    if (!Number.isSafeInteger(value)) throw this.corrupt(key, `is ${value}, not a whole number`);
    return value;
  }

  positiveNumber(key: string, absent?: number): number {
    const raw = this.gguf.metadata.get(`${this.architecture}.${key}`) ?? absent;
    if (raw === undefined) throw this.corrupt(key, 'is missing');
    if (typeof raw !== 'number' && typeof raw !== 'bigint') throw this.corrupt(key, 'is not a number');
    const value = Number(raw);
    if (!Number.isFinite(value) || value <= 0) throw this.corrupt(key, `is ${value}`);
    return value;
  }

  raw(key: string): GgufValue | undefined {
    return this.gguf.metadata.get(`${this.architecture}.${key}`);
  }

  private corrupt(key: string, what: string): Error {
    return modelCorrupt(this.gguf.path, `the metadata key ${this.architecture}.${key} ${what}`);
  }
}

function readArchitecture(gguf: GgufFile): ModelSpec['architecture'] {
  const name = gguf.metadata.get('general.architecture');
  if (typeof name !== 'string') {
    throw modelCorrupt(gguf.path, 'the metadata key general.architecture is missing');
  }
  const known = ARCHITECTURES.find((architecture) => architecture === name);
  if (known) return known;
  throw modelUnsupported(
    gguf.path,
    `its architecture is ${name}, and Longview runs ${ARCHITECTURES.join(', ')}`,
    USE_ANOTHER_MODEL,
  );
}

/** Variants that share an architecture's name but compute something else. */
function refuseVariants(gguf: GgufFile, keys: ArchitectureKeys): void {
  const experts = keys.raw('expert_count');
  if (experts !== undefined && Number(experts) !== 0) {
    throw modelUnsupported(gguf.path, 'it is a mixture of experts', USE_ANOTHER_MODEL);
  }
}

/** The YaRN scaling that a file asks for at every length. */
function yarnOf(gguf: GgufFile, keys: ArchitectureKeys): YarnScaling | undefined {
  const kind = keys.raw('rope.scaling.type') ?? 'none';
  if (kind === 'none') return undefined;
  if (kind !== 'yarn' || keys.raw('rope.scaling.yarn_log_multiplier') !== undefined) {
    const words = typeof kind === 'string' ? kind : 'of an unknown kind';
    throw modelUnsupported(gguf.path, `its positions are scaled (${words})`, USE_ANOTHER_MODEL);
  }
  const factor = keys.positiveNumber('rope.scaling.factor');
  if (factor < 1) throw modelCorrupt(gguf.path, `its positions are scaled by ${factor}`);
  const yarn = yarnScaling(
    factor,
    keys.positiveInteger('rope.scaling.original_context_length'),
    keys.positiveNumber('rope.scaling.attn_factor', 1),
  );
  const betaFast = keys.positiveNumber('rope.scaling.yarn_beta_fast', yarn.betaFast);
  const betaSlow = keys.positiveNumber('rope.scaling.yarn_beta_slow', yarn.betaSlow);
  if (betaSlow < betaFast) return { ...yarn, betaFast, betaSlow };
  throw modelCorrupt(gguf.path, `YaRN is to keep above ${betaFast} turns and to slow below ${betaSlow}`);
}

function nameOf(gguf: GgufFile): string {
  const name = gguf.metadata.get('general.name');
  return typeof name === 'string' && name.trim() !== '' ? name : basename(gguf.path, '.gguf');
}

function vocabSizeOf(gguf: GgufFile): number {
  const vocabSize = requireTensor(gguf, 'token_embd.weight').dims[1];
  if (vocabSize === undefined) throw modelCorrupt(gguf.path, 'tensor token_embd.weight is not a matrix');
  return vocabSize;
}

function checkHeads(gguf: GgufFile, keys: ArchitectureKeys, spec: ModelSpec): void {
  if (spec.headCount % spec.kvHeadCount !== 0) {
    throw modelCorrupt(gguf.path, `${spec.headCount} heads cannot share ${spec.kvHeadCount} KV heads`);
  }
  if (keys.positiveInteger('attention.value_length', spec.headDim) !== spec.headDim) {
    throw modelUnsupported(gguf.path, 'its keys and values differ in length', USE_ANOTHER_MODEL);
  }
  if (spec.headDim % 2 !== 0 || keys.positiveInteger('rope.dimension_count', spec.headDim) !== spec.headDim) {
    throw modelUnsupported(gguf.path, 'its positions turn only part of each head', USE_ANOTHER_MODEL);
  }
  const tokens = gguf.metadata.get('tokenizer.ggml.tokens');
  if (Array.isArray(tokens) && tokens.length > spec.vocabSize) {
    throw modelCorrupt(gguf.path, `it names ${tokens.length} tokens but embeds ${spec.vocabSize}`);
  }
}

/** Every tensor that the family computes with is there in the right shape, and no other. */
function checkTensors(gguf: GgufFile, spec: ModelSpec): void {
  let checked = 0;
  const scalesPositions = spec.architecture === 'llama' && gguf.tensors.has(ROPE_DIVISORS);
  for (const [name, dims] of expectedTensors(spec, scalesPositions)) {
    const tensor = requireTensor(gguf, name);
    if (tensor.dims.length !== dims.length || tensor.dims.some((dim, i) => dim !== dims[i])) {
      const found = tensor.dims.join(' x ');
      throw modelCorrupt(gguf.path, `tensor ${name} has the shape ${found} instead of ${dims.join(' x ')}`);
    }
    checked++;
  }
  if (checked === gguf.tensors.size) return;
  const expected = new Map(expectedTensors(spec, scalesPositions));
  const other = [...gguf.tensors.keys()].find((name) => !expected.has(name));
  throw modelUnsupported(
    gguf.path,
    `it computes with the tensor ${other ?? '?'}, which Longview does not know`,
    USE_ANOTHER_MODEL,
  );
}

function requireTensor(gguf: GgufFile, name: string): GgufTensor {
  const tensor = gguf.tensors.get(name);
  if (!tensor) throw modelCorrupt(gguf.path, `the tensor ${name} is missing`);
  return tensor;
}

/** Names and shapes, fastest dimension first. Lazy, so that an absurd layer count ends at the first gap. */
function* expectedTensors(
  spec: ModelSpec,
  scalesPositions: boolean,
): Generator<[name: string, dims: number[]]> {
  const { hiddenSize, feedForwardSize, vocabSize } = spec;
  const querySize = spec.headCount * spec.headDim;
  const kvSize = spec.kvHeadCount * spec.headDim;
  yield ['token_embd.weight', [hiddenSize, vocabSize]];
  yield ['output_norm.weight', [hiddenSize]];
  if (scalesPositions) yield [ROPE_DIVISORS, [spec.headDim / 2]];
  if (!spec.tiedEmbedding) yield ['output.weight', [hiddenSize, vocabSize]];
  for (let layer = 0; layer < spec.layerCount; layer++) {
    const block = `blk.${layer}`;
    yield [`${block}.attn_norm.weight`, [hiddenSize]];
    yield [`${block}.attn_q.weight`, [hiddenSize, querySize]];
    yield [`${block}.attn_k.weight`, [hiddenSize, kvSize]];
    yield [`${block}.attn_v.weight`, [hiddenSize, kvSize]];
    yield [`${block}.attn_output.weight`, [querySize, hiddenSize]];
    yield [`${block}.ffn_norm.weight`, [hiddenSize]];
    yield [`${block}.ffn_gate.weight`, [hiddenSize, feedForwardSize]];
    yield [`${block}.ffn_up.weight`, [hiddenSize, feedForwardSize]];
    yield [`${block}.ffn_down.weight`, [feedForwardSize, hiddenSize]];
    if (spec.qkNorm) {
      yield [`${block}.attn_q_norm.weight`, [spec.headDim]];
      yield [`${block}.attn_k_norm.weight`, [spec.headDim]];
    }
    if (!spec.qkvBias) continue;
    yield [`${block}.attn_q.bias`, [querySize]];
    yield [`${block}.attn_k.bias`, [kvSize]];
    yield [`${block}.attn_v.bias`, [kvSize]];
  }
}
