import type { Device, DeviceChoice, EngineStatus, WarmStatus } from '../../protocol';
import type { LoadedModel } from '../backends/backend';
import { CancelledError, LongviewError, messageOf, throwIfCancelled } from '../errors';
import { type AttentionPlan, beginningOf } from './attention-plan';
import { planAttention } from './attention-policy';
import type { BackendProvider } from './backend-provider';
import { EngineStatusBoard } from './engine-status';
import type {
  EngineSettings,
  GenerationEvent,
  GenerationRequest,
  GenerationResult,
  Prompt,
  TokenText,
  WarmRequest,
} from './generation';
import { runGeneration } from './generation-loop';
import { IdleTimer } from './idle-timer';
import { type LoadDefaults, ResidentModel } from './resident-model';
import { Scheduler } from './scheduler';
import type { Sequence } from './sequence';
import { type WarmProgress, warmUp } from './warming';

export interface EngineDependencies {
  backends: BackendProvider;
  defaults: LoadDefaults;
  onStatus: (status: EngineStatus) => void;
  log?: (line: string) => void;
  /** The device is let go, with the model on it, when nothing was asked for so long; absent or 0: never. */
  idleUnloadMs?: number;
}

/**
 * Answers prompts on one device: queue, model, prefix reuse, chunks, stop and cancel. All policy; the device is
 * reached only through `Backend`, one call at a time.
 */
export class Engine {
  private readonly scheduler = new Scheduler();
  private readonly resident: ResidentModel;
  private readonly board: EngineStatusBoard;
  private readonly backends: BackendProvider;
  private readonly idle: IdleTimer;
  private resting = false;

  constructor(dependencies: EngineDependencies) {
    const { backends, defaults, onStatus, log = () => undefined, idleUnloadMs = 0 } = dependencies;
    this.idle = new IdleTimer(idleUnloadMs, () => void this.unload());
    this.backends = backends;
    this.resident = new ResidentModel(backends, defaults, log);
    this.board = new EngineStatusBoard(onStatus);
  }

  get status(): EngineStatus {
    return this.board.current;
  }

  /** True once the device was let go because nothing was asked, until something is: no time to compute ahead. */
  get isResting(): boolean {
    return this.resting;
  }

  /** The device that `choice` comes to here; decides the default model and context. */
  deviceFor(choice: DeviceChoice): Promise<Device> {
    return this.backends.deviceFor(choice);
  }

  /** Tokens of the prompts whose KV is on the device under `settings`. */
  heldTokens(settings: EngineSettings): Int32Array[] {
    return this.resident.heldTokens(settings);
  }

  /** How far `warm` has come, for the status. */
  reportWarm(status: WarmStatus | undefined): void {
    this.board.warmed(status);
  }

  /** The device went away while or before it came back; shown until the next question succeeds. */
  reportBackend(state: 'restarting' | 'idle' | 'failed', message?: string): void {
    this.board.holdsNothing();
    this.board.moveTo(state, message);
  }

  /**
   * Runs one generation when its turn comes. The model loads while the prompt is still being packed.
   *
   * @throws CancelledError when `signal` is aborted before there is text; with text, `stopReason` says `cancelled`.
   * @throws LongviewError `promptTooLong`, or whatever the backend reports. The engine stays usable.
   */
  async generate(
    request: GenerationRequest,
    onEvent: (event: GenerationEvent) => void,
    signal: AbortSignal,
  ): Promise<GenerationResult> {
    const { clock } = request;
    this.idle.begin();
    this.resting = false;
    const ticket = this.scheduler.enqueue((ahead) => onEvent({ kind: 'queued', ahead }));
    this.board.queued(this.scheduler.waiting);
    const model = ticket.granted.then(async () => {
      clock.mark('turn');
      const loaded = await this.load(await request.settings, onEvent, signal);
      clock.mark('model');
      return loaded;
    });
    const prompt = request.prompt.then((packed) => {
      clock.mark('prompt');
      return packed;
    });

    try {
      const [packed, text, loaded, wish] = await untilAborted(
        signal,
        Promise.all([prompt, request.text, model, request.settings]),
      );
      const room = roomForAnswer(packed.tokenIds.length, loaded.contextTokens);
      const maxAnswerTokens = Math.min(request.maxAnswerTokens, room);
      const attention = planAttention(wish, packed.tokenIds.length, loaded.sampleUnavailable);
      return await this.run({ ...request, maxAnswerTokens }, { ...packed, attention, text }, onEvent, signal);
    } finally {
      this.giveBack(ticket, model);
    }
  }

  /**
   * Computes a prompt ahead of the question when nobody asks, and gives way to every question at once: then it ends
   * with `CancelledError`, as it does when `signal` is aborted. What was computed until then is not lost.
   *
   * @throws CancelledError; LongviewError as the backend does
   */
  async warm(
    request: WarmRequest,
    onProgress: (progress: WarmProgress) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const ticket = this.scheduler.enqueueBackground();
    const ending = AbortSignal.any([signal, ticket.preempted]);
    try {
      await untilAborted(signal, ticket.granted);
      const loaded = await this.load(request.settings, () => undefined, ending);
      throwIfCancelled(ending);
      await this.runWarming(request, loaded, onProgress, ending);
    } finally {
      ticket.release();
      // Warming is not asking: it neither stops the clock nor sets it back.
      this.idle.start();
    }
  }

  /** Forgets every computed prompt, on the device and beside it; returns how many bytes were on disk. */
  async purge(): Promise<number> {
    const ticket = this.scheduler.enqueueBackground();
    try {
      await ticket.granted;
      return await this.resident.purge();
    } finally {
      ticket.release();
    }
  }

  async dispose(): Promise<void> {
    this.idle.dispose();
    await this.backends.dispose();
  }

  private async runWarming(
    { settings, prompt, breathe }: WarmRequest,
    loaded: LoadedModel,
    onProgress: (progress: WarmProgress) => void,
    signal: AbortSignal,
  ): Promise<void> {
    let sequence: Sequence | undefined;
    try {
      const plan = planAttention(settings, prompt.tokenIds.length, loaded.sampleUnavailable);
      const { attention, tokens } = beginningOf(plan, prompt.tokenIds);
      // The question that follows goes on in the same place.
      const wanted = { id: prompt.id, tokens, attention, totalTokens: settings.contextTokens };
      if (this.resident.covers(wanted)) {
        await this.resident.store(wanted, signal);
        return;
      }
      const { backend, model, ...opened } = await this.resident.sequenceFor(
        wanted,
        NO_SAMPLING,
        NO_TEXT,
        signal,
      );
      sequence = opened.sequence;
      await warmUp({ backend, model, sequence, prompt: tokens, attention, onProgress, breathe, signal });
      await this.resident.store(wanted, signal);
    } catch (error) {
      if (!(error instanceof CancelledError)) await this.recover(sequence, error);
      throw error;
    }
  }

  /** In its turn like a question, so that none runs meanwhile; one that comes then starts the device anew. */
  private async unload(): Promise<void> {
    const ticket = this.scheduler.enqueue(() => undefined);
    await ticket.granted;
    try {
      this.resting = true;
      await this.resident.release();
      this.board.holdsNothing();
      this.board.warmed(undefined);
      this.board.moveTo('idle');
    } finally {
      ticket.release();
    }
  }

  private async load(
    settings: EngineSettings,
    onEvent: (event: GenerationEvent) => void,
    signal: AbortSignal,
  ): Promise<LoadedModel> {
    throwIfCancelled(signal);
    if (!this.resident.holds(settings)) {
      this.board.moveTo('starting');
      this.board.holdsNothing();
    }
    try {
      const loaded = await this.resident.ensure(settings, (progress) => {
        this.board.moveTo('loading');
        onEvent({ kind: 'load', ...progress });
      });
      this.board.holds(settings.modelName, loaded);
      this.board.moveTo('ready');
      return loaded;
    } catch (error) {
      this.fail(error);
      throw error;
    }
  }

  private async run(
    request: GenerationRequest,
    { id, tokenIds: prompt, attention, text }: PlannedPrompt,
    onEvent: (event: GenerationEvent) => void,
    signal: AbortSignal,
  ): Promise<GenerationResult> {
    const { sampling, clock, maxAnswerTokens } = request;
    this.board.moveTo('busy');
    let sequence: Sequence | undefined;
    try {
      const totalTokens = prompt.length + maxAnswerTokens;
      const wanted = { id, tokens: prompt, attention, totalTokens };
      const { backend, model, pace, cache, ...opened } = await this.resident.sequenceFor(
        wanted,
        sampling,
        text,
        signal,
      );
      sequence = opened.sequence;
      const result = await runGeneration({
        backend,
        sequence,
        prompt,
        attention,
        text,
        chunkTokens: model.prefillChunkTokens,
        stop: sampling.stop,
        maxAnswerTokens,
        pace,
        clock,
        onEvent,
        signal,
      });
      this.board.moveTo('ready');
      return { ...result, promptTokens: prompt.length, cache, model, attention };
    } catch (error) {
      if (error instanceof CancelledError) this.board.moveTo('ready');
      else await this.recover(sequence, error);
      throw error;
    }
  }

  private async recover(sequence: Sequence | undefined, error: unknown): Promise<void> {
    this.fail(error);
    await this.resident.drop(sequence, error);
  }

  /** The end of a device is told by whoever watches it (`reportBackend`), with what follows. */
  private fail(error: unknown): void {
    if (error instanceof CancelledError) {
      this.board.moveTo('idle');
      return;
    }
    if (!this.resident.hasDevice) return;
    const action = error instanceof LongviewError ? ` ${error.action}` : '';
    this.board.moveTo('failed', messageOf(error) + action);
  }

  /** A load cannot be interrupted: the device is handed on only once it has ended. */
  private giveBack(ticket: { isGranted: boolean; release(): void }, model: Promise<unknown>): void {
    const release = (): void => {
      ticket.release();
      this.idle.end();
      this.board.queued(this.scheduler.waiting);
    };
    if (ticket.isGranted) void Promise.allSettled([model]).then(release);
    else release();
  }
}

/** Nothing is sampled while a prompt is warmed; the question sets its own when it goes on. */
const NO_SAMPLING = { temperature: 0, topP: 1, topK: 0, stop: [] };
const NO_TEXT = { firstUnusedToken: 1 };

/** A prompt, and how it is read. */
interface PlannedPrompt extends Prompt {
  attention: AttentionPlan;
  text: TokenText;
}

function roomForAnswer(promptTokens: number, contextTokens: number): number {
  if (promptTokens > 0 && promptTokens < contextTokens) return contextTokens - promptTokens;
  throw new LongviewError(
    'promptTooLong',
    `The prompt has ${promptTokens} tokens and the context holds ${contextTokens}.`,
    'Ask with a larger context, or attach less.',
    { promptTokens, contextTokens },
  );
}

/** Settles as `work` does, or rejects with `CancelledError` as soon as `signal` is aborted. */
async function untilAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const listening = new AbortController();
  const aborted = new Promise<never>((_resolve, reject) => {
    const onAbort = (): void => reject(new CancelledError());
    signal.addEventListener('abort', onAbort, { once: true, signal: listening.signal });
    if (signal.aborted) onAbort();
  });
  try {
    return await Promise.race([aborted, work]);
  } finally {
    listening.abort();
  }
}
