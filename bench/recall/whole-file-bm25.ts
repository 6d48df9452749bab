import { readFileSync } from 'node:fs';
import MiniSearch from 'minisearch';
import { termsOf } from '../../server/context/ranking/terms';
import type { Repository } from './repositories';

interface Indexed {
  id: string;
  text: string;
}

/**
 * The peer that ranks whole files by BM25 over path and text and takes them, best first, while they fit. It cuts
 * names into words as Longview does, which plain BM25 would not.
 */
export class WholeFileBm25 {
  private readonly index = new MiniSearch<Indexed>({ fields: ['text'], tokenize: termsOf });

  constructor(
    { files }: Repository,
    private readonly tokensOf: ReadonlyMap<string, number>,
  ) {
    this.index.addAll(files.map(({ path, text }) => ({ id: path, text: `${path}\n${text}` })));
  }

  /** The files taken for a question. */
  take(question: string, budgetTokens: number): Set<string> {
    const taken = new Set<string>();
    let room = budgetTokens;
    for (const { id } of this.index.search(question)) {
      const tokens = this.tokensOf.get(String(id)) ?? 0;
      if (tokens > room) continue;
      taken.add(String(id));
      room -= tokens;
    }
    return taken;
  }
}

export function minisearchName(): string {
  const manifest = JSON.parse(readFileSync('node_modules/minisearch/package.json', 'utf8')) as {
    version: string;
  };
  return `whole-file BM25 (minisearch ${manifest.version})`;
}
