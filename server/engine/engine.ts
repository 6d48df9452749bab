import type { Device, DeviceChoice, EngineStatus, WarmStatus } from '../../protocol';
import { CancelledError, LongviewError } from '../errors';
import type { AttentionPlan } from './attention-plan';
import { planAttention } from './attention-policy';
import type { BackendProvider } from './backend-provider';
import { EngineDevice } from './engine-device';
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
import { IdleUnload } from './idle-unload';
import { type LoadDefaults, ResidentModel } from './resident-model';
import { Scheduler } from './scheduler';
import type { Sequence } from './sequence';
import { untilAborted } from './until-aborted';
import { Warming, type WarmProgress } from './warming';

export interface EngineDependencies {
  backends: BackendProvider;
  defaults: LoadDefaults;
  onStatus: (status: EngineStatus) => void;
  log?: (line: string) => void;
  /** Milliseconds of a steady clock. */
  now?: () => number;
  /** The device is let go, with the model on it, when nothing was asked for so long; absent or 0: never. */
  idleUnloadMs?: number;
}

/**
 * Answers prompts on one device: queue, model, prefix reuse, chunks, stop and cancel. All policy; the device is
 * reached only through `Backend`, one call at a time.
 */
export class Engine {
  private readonly scheduler = new Scheduler();
  private readonly backends: BackendProvider;
  private readonly resident: ResidentModel;
  private readonly board: EngineStatusBoard;
  private readonly device: EngineDevice;
  private readonly warming: Warming;
  private readonly idle: IdleUnload;

  constructor(dependencies: EngineDependencies) {
    const { backends, defaults, onStatus, log = () => undefined, idleUnloadMs = 0 } = dependencies;
    const { now = () => performance.now() } = dependencies;
    this.backends = backends;
    this.resident = new ResidentModel(backends, defaults, log, now);
    this.board = new EngineStatusBoard(onStatus);
    this.device = new EngineDevice(this.resident, this.board);
    this.warming = new Warming(this.scheduler, this.device);
    this.idle = new IdleUnload(this.scheduler, this.device, idleUnloadMs);
  }

  get status(): EngineStatus {
    return this.board.current;
  }

  /** True once the device was let go because nothing was asked, until something is: no time to compute ahead. */
  get isResting(): boolean {
    return this.idle.isResting;
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
    const ticket = this.scheduler.enqueue((ahead) => onEvent({ kind: 'queued', ahead }));
    this.board.queued(this.scheduler.waiting);
    const model = ticket.granted.then(async () => {
      clock.mark('turn');
      const loaded = await this.device.load(await request.settings, onEvent, signal);
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
      const attention = planAttention(wish, packed.tokenIds.length, loaded);
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
    try {
      await this.warming.warm(request, onProgress, signal);
    } finally {
      this.idle.noteWarming();
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
      const { backend, model, pace, cost, cache, ...opened } = await this.resident.sequenceFor(
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
        cost,
        clock,
        onEvent,
        signal,
      });
      this.board.moveTo('ready');
      return { ...result, promptTokens: prompt.length, cache, model, attention };
    } catch (error) {
      if (error instanceof CancelledError) this.board.moveTo('ready');
      else await this.device.recover(sequence, error);
      throw error;
    }
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
