import type { ModelSpec } from '../../models/model-spec';
import type { WeightsManifest } from './converted-weights';
import { GraphBuilder, NOTHING, type Value } from './graph-builder';
import { ropeTables } from './rope';
import { type MatmulAccuracy, WeightOps } from './weight-ops';

/** Names at the boundary of the decoder graph. S: tokens of this call; P: capacity of the KV buffers. */
export const DECODER_IO = {
  /** int64 `[1, S]`. */
  tokens: 'tokens',
  /** int32 `[1]`: tokens with KV after this call, minus one. */
  lastPosition: 'last_position',
  /** int32 scalar: tokens with KV after this call. */
  totalTokens: 'total_tokens',
  /** int64 `[1]`: where the KV of this call begins and ends. */
  newStart: 'new_start',
  newEnd: 'new_end',
  /** int64 `[R]`: rows of this call whose logits are wanted; may be empty. */
  logitRows: 'logit_rows',
  /** float32 `[1, R, vocabulary]`. */
  logits: 'logits',
  /** float32 `[1, kvHeads, P, headDim]`, of which the first `new_start` positions count. */
  pastKey: (layer: number) => `past_key.${layer}`,
  pastValue: (layer: number) => `past_value.${layer}`,
  /** float32 `[1, kvHeads, S, headDim]`: KV of this call's tokens alone. */
  newKey: (layer: number) => `new_key.${layer}`,
  newValue: (layer: number) => `new_value.${layer}`,
} as const;

export interface DecoderGraphOptions {
  /** Longest sequence; sizes the tables of positions. */
  contextTokens: number;
  accuracy: MatmulAccuracy;
}

/**
 * The decoder of the Qwen2 and Llama families as an ONNX model over converted weights.
 *
 * Past KV comes in with its whole capacity and only the KV of the new tokens goes out: the JavaScript
 * binding copies every output into a new buffer, which would cost the whole KV for each decoded token.
 */
export function decoderGraph(
  spec: ModelSpec,
  manifest: WeightsManifest,
  options: DecoderGraphOptions,
): Uint8Array {
  return new DecoderGraph(spec, manifest, options).build();
}

/**
 * In narrower models rounding activations to int8 shows, so their 4-bit layers keep float32, which costs them little.
 * Measured over 64 choices, the worst cosine to float32: SmolLM2 (576 wide) 0.994 with rounding and 0.9997 without;
 * with rounding 0.9997 for the 0.5B (896 wide) and 0.9999 for the 1.5B. With 8 bits only level 4 is fast.
 */
const NARROW_HIDDEN_SIZE = 768;

/** What every layer reads. */
interface Positions {
  lastPosition: Value;
  totalTokens: Value;
  newStart: Value;
  newEnd: Value;
  cos: Value;
  sin: Value;
}

class DecoderGraph {
  private readonly graph = new GraphBuilder();
  private readonly weights: WeightOps;

  constructor(
    private readonly spec: ModelSpec,
    manifest: WeightsManifest,
    private readonly options: DecoderGraphOptions,
  ) {
    const { accuracy } = options;
    const isNarrow = spec.hiddenSize < NARROW_HIDDEN_SIZE;
    this.weights = new WeightOps(this.graph, manifest, { 4: isNarrow ? 0 : accuracy, 8: accuracy });
  }

  build(): Uint8Array {
    const { graph, spec, weights } = this;
    const tokens = graph.input(DECODER_IO.tokens, 'int64', [1, 'S']);
    const positions = this.positions();
    const logitRows = graph.input(DECODER_IO.logitRows, 'int64', ['R']);
    let residual = weights.embedding('token_embd.weight', tokens);
    let normed = this.norm(residual, 'blk.0.attn_norm.weight');
    for (let layer = 0; layer < spec.layerCount; layer++) {
      const attention = this.attention(layer, normed, positions);
      const middle = this.addAndNorm(residual, attention, `blk.${layer}.ffn_norm.weight`);
      let mlp = this.mlp(layer, middle.normed);
      const isLast = layer === spec.layerCount - 1;
      if (isLast) {
        // Rows are chosen before the last norm, so that the head sees only those asked for.
        middle.sum = graph.op('Gather', [middle.sum, logitRows], { axis: { int: 1 } });
        mlp = graph.op('Gather', [mlp, logitRows], { axis: { int: 1 } });
      }
      const nextNorm = isLast ? 'output_norm.weight' : `blk.${layer + 1}.attn_norm.weight`;
      ({ sum: residual, normed } = this.addAndNorm(middle.sum, mlp, nextNorm));
    }
    const head = spec.tiedEmbedding ? 'token_embd.weight' : 'output.weight';
    graph.output(DECODER_IO.logits, 'float32', [1, 'R', spec.vocabSize], weights.linear(head, normed));
    return graph.toModel();
  }

  private positions(): Positions {
    const { graph, spec, options } = this;
    const rope = ropeTables(options.contextTokens, spec);
    const tableDims = [options.contextTokens, spec.headDim / 2];
    return {
      lastPosition: graph.input(DECODER_IO.lastPosition, 'int32', [1]),
      totalTokens: graph.input(DECODER_IO.totalTokens, 'int32', []),
      newStart: graph.input(DECODER_IO.newStart, 'int64', [1]),
      newEnd: graph.input(DECODER_IO.newEnd, 'int64', [1]),
      cos: graph.float32s('rope-cos', tableDims, rope.cos),
      sin: graph.float32s('rope-sin', tableDims, rope.sin),
    };
  }

  private attention(layer: number, input: Value, positions: Positions): Value {
    const { graph, spec, weights } = this;
    const project = (which: string) => {
      const name = `blk.${layer}.attn_${which}`;
      return weights.linear(`${name}.weight`, input, spec.qkvBias ? `${name}.bias` : undefined);
    };
    const kvDims = [1, spec.kvHeadCount, 'P', spec.headDim];
    const pastKey = graph.input(DECODER_IO.pastKey(layer), 'float32', kvDims);
    const pastValue = graph.input(DECODER_IO.pastValue(layer), 'float32', kvDims);
    const attended = graph.newValue('attended');
    const presentKey = graph.newValue('present-key');
    const presentValue = graph.newValue('present-value');
    graph.microsoftNode(
      'GroupQueryAttention',
      [
        project('q'),
        project('k'),
        project('v'),
        pastKey,
        pastValue,
        positions.lastPosition,
        positions.totalTokens,
        positions.cos,
        positions.sin,
      ],
      [attended, presentKey, presentValue],
      {
        num_heads: { int: spec.headCount },
        kv_num_heads: { int: spec.kvHeadCount },
        do_rotary: { int: 1 },
        rotary_interleaved: { int: spec.interleavedRope ? 1 : 0 },
      },
    );
    const newDims = [1, spec.kvHeadCount, 'S', spec.headDim];
    graph.output(DECODER_IO.newKey(layer), 'float32', newDims, this.newPart(presentKey, positions));
    graph.output(DECODER_IO.newValue(layer), 'float32', newDims, this.newPart(presentValue, positions));
    return weights.linear(`blk.${layer}.attn_output.weight`, attended);
  }

  /** The positions of this call out of `[1, kvHeads, P, headDim]`. */
  private newPart(present: Value, { newStart, newEnd }: Positions): Value {
    const positionAxis = this.graph.int64s('position-axis', [2]);
    return this.graph.op('Slice', [present, newStart, newEnd, positionAxis]);
  }

  /** SwiGLU: `down(silu(gate(x)) * up(x))`. */
  private mlp(layer: number, input: Value): Value {
    const { graph, weights } = this;
    const gate = weights.linear(`blk.${layer}.ffn_gate.weight`, input);
    const up = weights.linear(`blk.${layer}.ffn_up.weight`, input);
    const silu = graph.microsoftOp('QuickGelu', [gate], { alpha: { float: 1 } });
    return weights.linear(`blk.${layer}.ffn_down.weight`, graph.op('Mul', [silu, up]));
  }

  /** RMS norm. */
  private norm(input: Value, name: string): Value {
    return this.graph.op('SimplifiedLayerNormalization', [input, this.weights.vector(name)], {
      axis: { int: -1 },
      epsilon: { float: this.spec.rmsNormEpsilon },
      stash_type: { int: 1 },
    });
  }

  private addAndNorm(residual: Value, update: Value, name: string): { sum: Value; normed: Value } {
    const normed = this.graph.newValue('normed');
    const sum = this.graph.newValue('residual');
    this.graph.microsoftNode(
      'SkipSimplifiedLayerNormalization',
      [residual, update, this.weights.vector(name)],
      [normed, NOTHING, NOTHING, sum],
      { epsilon: { float: this.spec.rmsNormEpsilon } },
    );
    return { sum, normed };
  }
}
