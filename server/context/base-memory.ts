import { LRUCache } from 'lru-cache';
import type { Base } from '../prompt/base';

/** Models and context sizes that people go back and forth between. */
const KEPT = 4;

/** The bases that prompts were packed with: the next one keeps their files, so that its tokens stay the same. */
export class BaseMemory {
  private readonly entries = new LRUCache<string, RememberedBases>({ max: KEPT });

  /** @param identity of the tokenizer */
  for(identity: string, budgetTokens: number): RememberedBases {
    const key = `${budgetTokens}:${identity}`;
    const known = this.entries.get(key);
    if (known) return known;
    const fresh = new RememberedBases();
    this.entries.set(key, fresh);
    return fresh;
  }
}

class RememberedBases {
  private last: Base | undefined;

  get paths(): ReadonlySet<string> {
    return new Set(this.last?.files.map(({ path }) => path));
  }

  keep(base: Base): void {
    if (base.isUsual) this.last = base;
  }
}
