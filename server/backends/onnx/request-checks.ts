import { LongviewError } from '../../errors';
import { modelUnsupported } from '../../models/model-errors';
import type { ModelSpec } from '../../models/model-spec';
import type { LoadRequest } from '../backend';

/** @throws LongviewError when the request asks for what this backend cannot do; nothing was touched then */
export function checkLoadRequest(request: LoadRequest): void {
  if (request.device === 'cuda') {
    throw new LongviewError(
      'deviceUnavailable',
      'The device cuda is not available: this build runs models on the CPU only.',
      'Set the device to cpu or auto.',
      { device: request.device },
    );
  }
  if (request.attention === 'sample') throw sampleUnavailable();
  checkPositive(request.contextTokens, 'context length');
  checkPositive(request.cpuThreads, 'number of CPU threads');
}

/** @throws LongviewError `modelUnsupported` for a family that the graph cannot express */
export function checkFamily(spec: ModelSpec, modelPath: string): void {
  if (!spec.qkNorm) return;
  throw modelUnsupported(
    modelPath,
    'models of the Qwen3 family run on an NVIDIA GPU only',
    'Choose the device "cuda", or a model of the Qwen2, Qwen2.5 or Llama family.',
  );
}

/** @throws LongviewError `badRequest` */
export function checkTokens(tokens: Int32Array, vocabSize: number): void {
  if (tokens.length === 0) {
    throw new LongviewError('badRequest', 'A chunk without tokens cannot be computed.', 'Ask a question.');
  }
  const outside = tokens.find((token) => token < 0 || token >= vocabSize);
  if (outside === undefined) return;
  throw new LongviewError(
    'badRequest',
    `The token ${outside} is not in the vocabulary of ${vocabSize}.`,
    'Use the tokenizer of the same model.',
  );
}

export function contextTooLarge(tokens: number, limit: number, modelName: string): LongviewError {
  return new LongviewError(
    'contextTooLarge',
    `${tokens} tokens do not fit into the context of ${limit} tokens that ${modelName} has here.`,
    'Ask about fewer files, or choose a larger context if the model allows one.',
    { tokens, limit },
  );
}

function checkPositive(value: number, what: string): void {
  if (Number.isInteger(value) && value > 0) return;
  throw new LongviewError(
    'badRequest',
    `The ${what} is ${value}.`,
    `Set the ${what} to a whole number above 0.`,
  );
}

export function sampleUnavailable(): LongviewError {
  return new LongviewError(
    'attentionUnavailable',
    'SampleAttention is not available on the CPU: its kernels need an NVIDIA GPU.',
    'Set the attention to dense or auto.',
    { attention: 'sample' },
  );
}
