import type { LoadedModel } from '../backends/backend';
import { CancelledError, LongviewError, messageOf, throwIfCancelled } from '../errors';
import type { EngineStatusBoard } from './engine-status';
import type { EngineSettings, GenerationEvent } from './generation';
import type { ResidentModel } from './resident-model';
import type { Sequence } from './sequence';

/** The device with what is on it, and what the status says of both. Its caller holds the turn. */
export class EngineDevice {
  constructor(
    readonly resident: ResidentModel,
    private readonly board: EngineStatusBoard,
  ) {}

  /** Loads what `settings` name where it is not loaded. @throws CancelledError; LongviewError why it cannot be */
  async load(
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

  /** After a call that failed: says so, and lets go of the sequence whose state is not known any more. */
  async recover(sequence: Sequence | undefined, error: unknown): Promise<void> {
    this.fail(error);
    await this.resident.drop(sequence, error);
  }

  /** Lets go of the device with all that is on it; the next load starts it anew. */
  async release(): Promise<void> {
    await this.resident.release();
    this.board.holdsNothing();
    this.board.warmed(undefined);
    this.board.moveTo('idle');
  }

  /** The end of a device is told by whoever watches it, with what follows. */
  private fail(error: unknown): void {
    if (error instanceof CancelledError) {
      this.board.moveTo('idle');
      return;
    }
    if (!this.resident.hasDevice) return;
    const action = error instanceof LongviewError ? ` ${error.action}` : '';
    this.board.moveTo('failed', messageOf(error) + action);
  }
}
