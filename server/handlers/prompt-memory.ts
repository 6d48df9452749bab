import { LRUCache } from 'lru-cache';
import type { PromptSpan } from '../prompt/parts';

/** More than a device keeps prompts. */
const KEPT = 32;

/** What the tokens of the last prompts are, by the id of their packing: to say what changed since. */
export class PromptMemory {
  private readonly spans = new LRUCache<number, readonly PromptSpan[]>({ max: KEPT });

  note(packId: number, spans: readonly PromptSpan[]): void {
    this.spans.set(packId, spans);
  }

  spansOf(packId: number | undefined): readonly PromptSpan[] | undefined {
    return packId === undefined ? undefined : this.spans.get(packId);
  }
}
