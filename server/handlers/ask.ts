import type { AskEvent, AskParams, AskResult } from '../../protocol';
import type { RequestContext } from '../connection';
import type { ContextService, PackedPrompt } from '../context/context-service';
import type { Engine } from '../engine/engine';
import type { GenerationEvent, GenerationResult, TokenText } from '../engine/generation';
import { TtftClock } from '../engine/ttft-clock';
import type { ModelStore, ResolvedModel } from '../models/model-store';
import { type AskBudget, budgetFor } from './ask-budget';
import { AskStream } from './ask-stream';
import { cacheMissText } from './cache-miss';
import { engineSettings } from './engine-settings';
import type { PromptMemory } from './prompt-memory';
import { ttftRecord } from './ttft-record';

export interface AskDependencies {
  models: Pick<ModelStore, 'resolve'>;
  context: ContextService;
  engine: Pick<Engine, 'generate' | 'deviceFor' | 'heldTokens'>;
  /** The text of a model's tokens; may be called for every question. */
  tokenText: (model: ResolvedModel) => Promise<TokenText>;
  prompts: PromptMemory;
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
      return await new Answering(this.deps, params, clock, stream).run(signal);
    } finally {
      stream.end();
    }
  }
}

interface Chosen {
  model: ResolvedModel;
  budget: AskBudget;
}

/** One question under way. It queues at once; finding the model and packing go on while it waits. */
class Answering {
  /** Ends what is prepared when the generation fails before it needs it. */
  private readonly preparing = new AbortController();

  constructor(
    private readonly deps: AskDependencies,
    private readonly params: AskParams,
    private readonly clock: TtftClock,
    private readonly stream: AskStream,
  ) {}

  async run(signal: AbortSignal): Promise<AskResult> {
    const onAbort = (): void => this.preparing.abort();
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    const choosing = this.choose();
    const packing = choosing.then((chosen) => this.pack(chosen));
    try {
      const result = await this.generate(choosing, packing, signal);
      return await this.conclude((await choosing).model, await packing, result);
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.preparing.abort();
      this.releaseWhenPacked(packing);
    }
  }

  private async choose(): Promise<Chosen> {
    const { options } = this.params;
    const onProgress = (fraction: number): void =>
      this.stream.emit({ kind: 'stage', stage: 'load', fraction, detail: 'verifying the model file' });
    const { signal } = this.preparing;
    const device = await this.deps.engine.deviceFor(options.device);
    const model = await this.deps.models.resolve(options.model, device, { signal, onProgress });
    return { model, budget: budgetFor(options, model, device) };
  }

  private async pack({ model, budget }: Chosen): Promise<PackedPrompt> {
    const { question, history, attachments, openEditor } = this.params;
    const packed = await this.deps.context.pack(
      {
        question,
        history,
        attachments,
        ...(openEditor !== undefined && { openEditor }),
        held: this.deps.engine.heldTokens(engineSettings(this.params.options, model, budget)),
        modelPath: model.path,
        budgetTokens: budget.promptTokens,
        contextTokens: budget.contextTokens,
      },
      (fraction) => this.stream.emit({ kind: 'stage', stage: 'pack', fraction }),
      this.preparing.signal,
    );
    this.deps.prompts.note(packed.packId, packed.spans);
    this.stream.emit({ kind: 'packed', inclusion: packed.inclusion });
    return packed;
  }

  private generate(
    choosing: Promise<Chosen>,
    packing: Promise<PackedPrompt>,
    signal: AbortSignal,
  ): Promise<GenerationResult> {
    const { options } = this.params;
    const { maxAnswerTokens, sampling } = options;
    const settings = choosing.then(({ model, budget }) => engineSettings(options, model, budget));
    return this.deps.engine.generate(
      {
        settings,
        prompt: packing.then(({ packId, tokenIds }) => ({ id: packId, tokenIds })),
        // Behind the packing in the same thread: the prompt comes first, the text of tokens is needed later.
        text: packing.then(async () => this.deps.tokenText((await choosing).model)),
        sampling,
        maxAnswerTokens,
        clock: this.clock,
      },
      (event) => this.stream.emit(asAskEvent(event)),
      signal,
    );
  }

  private async conclude(
    model: ResolvedModel,
    packed: PackedPrompt,
    result: GenerationResult,
  ): Promise<AskResult> {
    const before = this.deps.prompts.spansOf(result.cache.comparedWith);
    const miss = cacheMissText(result.cache, packed.spans, before, Date.now());
    const record = ttftRecord(model.id, packed, result, this.clock, miss);
    this.stream.emit({ kind: 'done', record });
    const { answer, stopReason } = result;
    const cited = await this.deps.context.cite(packed.packId, answer);
    return { answer, ...cited, inclusion: packed.inclusion, stopReason, record };
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
