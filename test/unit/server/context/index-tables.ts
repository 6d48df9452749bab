import { TEXT } from '../../../../server/context/file-state';
import type { IndexTable } from '../../../../server/context/index/index-table';
import { TermCounter } from '../../../../server/context/index/term-counter';
import { NO_TERMS, TermStore } from '../../../../server/context/index/term-store';

/** Of `count` files with the same text. */
export function tableOf(count: number): IndexTable {
  const terms = new TermStore();
  const counted = new TermCounter().count('a.ts', 'function mergeShards(shard) { return cache; }', 100);
  return {
    roots: new Int32Array(count),
    paths: Array.from({ length: count }, (_, at) => `file ${at}.ts`),
    sizesBytes: new Float64Array(count).fill(10),
    mtimesMs: new Float64Array(count).fill(12.5),
    editedAtMs: new Float64Array(count).fill(11),
    states: new Uint8Array(count).fill(TEXT),
    hashes: new Uint8Array(32 * count).map((_, at) => at),
    importance: new Float64Array(count).fill(0.5),
    references: Int32Array.from({ length: count }, () => terms.add(counted)),
    terms,
  };
}

/** All that a table says, without how it is held. */
export const contentOf = (of: IndexTable | undefined) =>
  of && {
    ...of,
    terms: undefined,
    references: [...of.references].map((each) => (each === NO_TERMS ? [] : [...of.terms.view(each)])),
  };
