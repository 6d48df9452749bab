import { LRUCache } from 'lru-cache';
import type { Base } from '../prompt/base';
import type { Detail } from '../prompt/file-block';

/** Models and context sizes that people go back and forth between. */
const KEPT = 4;
/** Bases of each: those on the device, and some that were edited before they came there. */
const BASES_KEPT = 8;

/** The bases that prompts were packed with: the next one keeps their files, or goes on from one of them. */
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
  /** The one used last at the end. */
  private bases: Base[] = [];

  /** Files of the last one, and how much of each. */
  get details(): ReadonlyMap<string, Detail> {
    return new Map(this.last?.files.map(({ path, detail }) => [path, detail]));
  }

  get all(): readonly Base[] {
    return this.bases;
  }

  /** @param used the one that the prompt started with */
  keep(base: Base, used: Base): void {
    if (!base.isUsual) return;
    this.last = base;
    const same = contentOf(used);
    this.bases = [...this.bases.filter((each) => contentOf(each) !== same), used].slice(-BASES_KEPT);
  }
}

const contents = new WeakMap<Base, string>();

/** Equal for bases of the same tokens. */
function contentOf(base: Base): string {
  const known = contents.get(base);
  if (known !== undefined) return known;
  const content = JSON.stringify([base.outline, base.files.map(({ path, hash }) => [path, hash])]);
  contents.set(base, content);
  return content;
}
