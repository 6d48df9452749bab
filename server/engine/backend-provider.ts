import type { Device, DeviceChoice } from '../../protocol';
import type { Backend, StoringBackend } from '../backends/backend';

/** Where the engine gets its device from, and gets a new one after a crash. */
export interface BackendProvider {
  /**
   * The running backend, started when there is none. A backend other than the last one has no model loaded.
   * @throws LongviewError `engineCrashed` when it crashed too often, `deviceUnavailable` when it cannot start
   */
  acquire(): Promise<StoringBackend>;

  /** The device that `choice` comes to on this machine. @throws LongviewError as `acquire` does */
  deviceFor(choice: DeviceChoice): Promise<Device>;

  /** False once the process or device behind `backend` has ended: nothing of it is left, nothing can be freed. */
  isAlive(backend: Backend): boolean;

  /** Ends the running backend and frees all it holds; `acquire` starts another. */
  release(): Promise<void>;

  /** The same, for good. */
  dispose(): Promise<void>;
}
