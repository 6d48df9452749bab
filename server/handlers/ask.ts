import type { AskEvent, AskParams, AskResult } from '../../protocol';
import type { RequestContext } from '../connection';
import type { ContextService, PackedPrompt } from '../context/context-service';
import type { Engine } from '../engine/engine';
import type { GenerationEvent, GenerationResult, TokenText } from '../engine/generation';
import { TtftClock } from '../engine/ttft-clock';
import type { ModelStore, ResolvedModel } from '../models/model-store';
import { type AskBudget, budgetFor } from './ask-budget';
import { AskStream } from './ask-stream';
import { ttftRecord } from './ttft-record';

export interface AskDependencies {
  models: Pick<ModelStore, 'resolve'>;
  context: ContextService;
  engine: Pick<Engine, 'generate'>;
  /** The text of a model's tokens; may be called for every question. */
  tokenText: (model: ResolvedModel) => Promise<TokenText>;
  /** Milliseconds of a steady clock. */
  now: () => number;
}

/** Answers one question: resolve the model, pack the repository, generate, check the citations. */
export class AskHandler {
  constructor(private readonly deps: AskDependencies) {}

  /**
   * @throws CancelledError when cancelled before there is text; with text the answer so far is the result.
   * @throws LongviewError as every part of the way does
   */
  async ask(params: AskParams, { signal, emit }: RequestContext<AskEvent>): Promise<AskResult> {
    const clock = new TtftClock(this.deps.now);
    const stream = new AskStream(emit);
    try {
      const onProgress = (fraction: number): void =>
        stream.emit({ kind: 'stage', stage: 'load', fraction, detail: 'verifying the model file' });
      const { options } = params;
      const model = await this.deps.models.resolve(options.model, options.device, { signal, onProgress });
      const budget = budgetFor(options, model);
      return await new Answering(this.deps, params, model, budget, clock, stream).run(signal);
    } finally {
      stream.end();
    }
  }
}

/** One question under way. */
class Answering {
  /** Ends the packing when the generation fails before it needs the prompt. */
  private readonly packing = new AbortController();

  constructor(
    private readonly deps: AskDependencies,
    private readonly params: AskParams,
    private readonly model: ResolvedModel,
    private readonly budget: AskBudget,
    private readonly clock: TtftClock,
    private readonly stream: AskStream,
  ) {}

  async run(signal: AbortSignal): Promise<AskResult> {
    const onAbort = (): void => this.packing.abort();
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    const packing = this.pack();
    try {
      const result = await this.generate(packing, signal);
      return await this.conclude(await packing, result);
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.packing.abort();
      this.releaseWhenPacked(packing);
    }
  }

  private async pack(): Promise<PackedPrompt> {
    const { question, history, attachments } = this.params;
    const packed = await this.deps.context.pack(
      {
        question,
        history,
        attachments,
        modelPath: this.model.path,
        budgetTokens: this.budget.promptTokens,
      },
      (fraction) => this.stream.emit({ kind: 'stage', stage: 'pack', fraction }),
      this.packing.signal,
    );
    this.stream.emit({ kind: 'packed', inclusion: packed.inclusion });
    return packed;
  }

  private generate(packing: Promise<PackedPrompt>, signal: AbortSignal): Promise<GenerationResult> {
    const { device, attention, maxAnswerTokens, sampling } = this.params.options;
    const settings = {
      modelName: this.model.id,
      modelPath: this.model.path,
      modelSha256: this.model.sha256,
      device,
      attention,
      contextTokens: this.budget.contextTokens,
    };
    return this.deps.engine.generate(
      {
        settings,
        prompt: packing.then(({ tokenIds }) => tokenIds),
        // Behind the packing in the same thread: the prompt comes first, the text of tokens is needed later.
        text: packing.then(() => this.deps.tokenText(this.model)),
        sampling,
        maxAnswerTokens,
        clock: this.clock,
      },
      (event) => this.stream.emit(asAskEvent(event)),
      signal,
    );
  }

  private async conclude(packed: PackedPrompt, result: GenerationResult): Promise<AskResult> {
    const record = ttftRecord(this.model.id, packed, result, this.clock);
    this.stream.emit({ kind: 'done', record });
    const { answer, stopReason } = result;
    const citations = await this.deps.context.cite(packed.packId, answer);
    return { answer, citations, inclusion: packed.inclusion, stopReason, record };
  }

  private releaseWhenPacked(packing: Promise<PackedPrompt>): void {
    const { context } = this.deps;
    packing.then(
      ({ packId }) => context.release(packId),
      () => undefined, // Nothing was packed; why is told by the answer to the question.
    );
  }
}

function asAskEvent(event: GenerationEvent) {
  if (event.kind !== 'load') return event;
  return { kind: 'stage', stage: event.stage, fraction: event.fraction } as const;
}
