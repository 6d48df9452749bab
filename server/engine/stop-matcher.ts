/**
 * Finds stop sequences in streamed text, also where they run across token borders: text that may be the
 * beginning of one is held back until it is known.
 */
export class StopMatcher {
  private readonly stops: readonly string[];
  private held = '';

  constructor(stops: readonly string[]) {
    this.stops = stops.filter((stop) => stop.length > 0);
  }

  /** Adds text; returns what may be shown, and whether a stop sequence ended it. */
  push(text: string): { text: string; stopped: boolean } {
    const all = this.held + text;
    const end = this.firstStop(all);
    if (end !== undefined) {
      this.held = '';
      return { text: all.slice(0, end), stopped: true };
    }
    const keep = this.possibleStart(all);
    this.held = all.slice(all.length - keep);
    return { text: all.slice(0, all.length - keep), stopped: false };
  }

  /** What was held back, once no more text comes. */
  flush(): string {
    const rest = this.held;
    this.held = '';
    return rest;
  }

  private firstStop(text: string): number | undefined {
    const found = this.stops.map((stop) => text.indexOf(stop)).filter((index) => index >= 0);
    return found.length > 0 ? Math.min(...found) : undefined;
  }

  /** Length of the longest end of `text` with which a stop sequence begins. */
  private possibleStart(text: string): number {
    let longest = 0;
    for (const stop of this.stops)
      for (let length = Math.min(stop.length - 1, text.length); length > longest; length--)
        if (text.endsWith(stop.slice(0, length))) longest = length;
    return longest;
  }
}
