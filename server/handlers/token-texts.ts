import type { ContextService } from '../context/context-service';
import type { ResolvedModel } from '../models/model-store';
import { TokenTable } from '../tokenizer/token-table';

/** The token table of the model in use, fetched once for each model and kept for the last one. */
export class TokenTexts {
  private kept: { sha256: string; table: Promise<TokenTable> } | undefined;

  constructor(private readonly source: Pick<ContextService, 'tokenTable'>) {}

  of({ sha256, path }: ResolvedModel): Promise<TokenTable> {
    if (this.kept?.sha256 === sha256) return this.kept.table;
    const table = this.source.tokenTable(path).then((data) => new TokenTable(data));
    this.kept = { sha256, table };
    // A table that could not be read is asked for again with the next question.
    table.catch(() => {
      if (this.kept?.table === table) this.kept = undefined;
    });
    return table;
  }
}
