import { setTimeout as delay } from 'node:timers/promises';
import type { Device, DeviceChoice } from '../../protocol';
import type { Backend } from '../backends/backend';
import type { BackendProvider } from '../engine/backend-provider';
import { LongviewError, messageOf } from '../errors';
import { HostProcess, type HostProcessOptions } from './host-process';
import { RemoteBackend } from './remote-backend';
import type { RestartPolicy } from './restart-policy';

/** What the supervisor tells about the engine host when nobody is waiting for it. */
export type HostState = 'restarting' | 'idle' | 'failed';

export interface HostSupervisorOptions extends Omit<HostProcessOptions, 'onCrash'> {
  policy: RestartPolicy;
  onState: (state: HostState, message?: string) => void;
}

/** Keeps one engine host running: starts it when needed, again after a crash, and not any more after too many. */
export class HostSupervisor implements BackendProvider {
  private current: Promise<RemoteBackend> | undefined;
  private alive: Backend | undefined;
  private readonly disposing = new AbortController();

  constructor(private readonly options: HostSupervisorOptions) {}

  acquire(): Promise<RemoteBackend> {
    this.current ??= this.start();
    return this.current;
  }

  async deviceFor(choice: DeviceChoice): Promise<Device> {
    return choice === 'auto' ? (await this.acquire()).deviceFor(choice) : choice;
  }

  isAlive(backend: Backend): boolean {
    return this.alive === backend;
  }

  async release(): Promise<void> {
    const { alive } = this;
    this.current = undefined;
    this.alive = undefined;
    await alive?.dispose();
  }

  async dispose(): Promise<void> {
    this.disposing.abort();
    await this.alive?.dispose();
  }

  private async start(): Promise<RemoteBackend> {
    try {
      const waitMs = this.options.policy.nextDelayMs();
      if (waitMs === 'giveUp') throw crashedTooOften();
      await delay(waitMs, undefined, { signal: this.disposing.signal });
      const onCrash = (reason: LongviewError): void => this.onCrash(reason);
      const host = await HostProcess.start({ ...this.options, onCrash });
      const backend = new RemoteBackend(host);
      this.alive = backend;
      if (this.disposing.signal.aborted) await backend.dispose();
      return backend;
    } catch (error) {
      this.current = undefined;
      if (!this.disposing.signal.aborted) this.reportFailedStart(error);
      throw error;
    }
  }

  private reportFailedStart(error: unknown): void {
    if (!(error instanceof LongviewError && error.details?.['gaveUp'])) this.options.policy.recordCrash();
    this.options.onState('failed', inWords(error));
  }

  /** Restarts at once rather than with the next question: the process is up again before anyone asks. */
  private onCrash(reason: LongviewError): void {
    this.alive = undefined;
    this.current = undefined;
    this.options.policy.recordCrash();
    this.options.log(`the engine host ended: ${reason.message}`);
    if (this.options.policy.nextDelayMs() === 'giveUp') {
      this.options.onState('failed', inWords(crashedTooOften(reason)));
      return;
    }
    this.options.onState('restarting', inWords(reason));
    this.current = this.start();
    this.current.then(
      () => this.options.onState('idle', inWords(reason)),
      (error: unknown) => this.options.log(`the engine host did not come back: ${messageOf(error)}`),
    );
  }
}

function crashedTooOften(last?: LongviewError): LongviewError {
  return new LongviewError(
    'engineCrashed',
    `The engine crashed too often in the last minutes${last ? ` (last: ${last.message})` : ''}.`,
    'Choose a smaller context or model and ask again in three minutes, or restart the Longview server.',
    { gaveUp: true },
  );
}

function inWords(error: unknown): string {
  return error instanceof LongviewError ? `${error.message} ${error.action}` : messageOf(error);
}
