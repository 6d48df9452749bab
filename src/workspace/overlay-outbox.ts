import type { OverlayParams } from '../../protocol';
import type { FileLocation } from './roots';

/** Gives the text of an editor at the moment of the call. */
export type ReadText = () => string;

interface Held {
  read: ReadText;
  sent: boolean;
}

/** Unsaved text that the server should have, by absolute path, and which of it still has to be sent. */
export class OverlayOutbox {
  private readonly held = new Map<string, Held>();
  private readonly withdrawn = new Set<string>();

  constructor(private readonly sendOverlay: (params: OverlayParams) => Promise<void>) {}

  /** Notes that the text changed, or with `null` that there is none; false when nothing has to be sent. */
  set(absolutePath: string, read: ReadText | null): boolean {
    if (read === null) {
      if (!this.held.delete(absolutePath)) return false;
      this.withdrawn.add(absolutePath);
      return true;
    }
    this.withdrawn.delete(absolutePath);
    this.held.set(absolutePath, { read, sent: false });
    return true;
  }

  /** For a server that has lost all unsaved text. */
  sendAllAgain(): void {
    this.withdrawn.clear();
    for (const overlay of this.held.values()) overlay.sent = false;
  }

  /** Sends what has not been sent; what fails stays to be sent. Text outside of the workspace is kept back. */
  async send(placeOf: (absolutePath: string) => FileLocation | undefined): Promise<void> {
    for (const absolutePath of [...this.withdrawn]) {
      const place = placeOf(absolutePath);
      if (place) await this.sendOverlay({ ...place, text: null });
      this.withdrawn.delete(absolutePath);
    }
    for (const [absolutePath, overlay] of [...this.held]) {
      const place = overlay.sent ? undefined : placeOf(absolutePath);
      if (!place) continue;
      await this.sendOverlay({ ...place, text: overlay.read() });
      overlay.sent = true;
    }
  }
}
