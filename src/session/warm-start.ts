import type { ServerSession } from './server-session';
import type { Disposable } from './signal';

/** The start of the editor goes first. */
const DELAY_MS = 3000;

/** Starts the server some time after a folder was opened, so that the repository is read before anybody asks. */
export class WarmStart implements Disposable {
  private readonly timer: NodeJS.Timeout;

  constructor(
    server: Pick<ServerSession, 'open'>,
    isWanted: () => boolean,
    warn: (message: string) => void,
    delayMs = DELAY_MS,
  ) {
    this.timer = setTimeout(() => {
      if (!isWanted()) return;
      // The first question starts it again, and tells what is wrong.
      server.open().catch((error: unknown) => warn(`The server did not start: ${String(error)}`));
    }, delayMs);
  }

  dispose(): void {
    clearTimeout(this.timer);
  }
}
