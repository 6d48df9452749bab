import type {
  Attachment,
  Completion,
  Completions,
  Findable,
  FindableKind,
  MentionChoice,
  MentionKind,
} from '../../../protocol';
import type { AnswerService } from '../../session/answer-service';
import { attachmentOfSelection } from '../editor-actions';
import { attachmentOfGit, completeGit } from './git';
import { attachmentOfProblems, completeProblems } from './problems';
import type { Terminals } from './terminals';
import { mergeSymbols, symbolsOfEditor } from './workspace-symbols';

const MOST_SHOWN = 30;
const MOST_OF_EACH = 8;

const ICONS = { file: 'file', folder: 'folder', symbol: 'symbol-method' } as const;

/** What can be mentioned with `@`: finds it, and makes an attachment of what is chosen. */
export class Mentions {
  constructor(
    private readonly service: Pick<AnswerService, 'find'>,
    private readonly terminals: Pick<Terminals, 'complete' | 'attachment'>,
    private readonly warn: (message: string) => void,
  ) {}

  async complete(mention: MentionKind | 'any', query: string, signal: AbortSignal): Promise<Completions> {
    switch (mention) {
      case 'file':
      case 'folder':
      case 'symbol':
        return this.found(mention, query, MOST_SHOWN, signal);
      case 'any':
        return this.anything(query, signal);
      case 'problems':
        return completeProblems();
      case 'terminal':
        return this.terminals.complete(query);
      case 'git':
        return completeGit(query);
      case 'selection':
        return { items: [] };
    }
  }

  /** @throws in words when there is nothing to attach */
  async attachment(choice: MentionChoice): Promise<Attachment> {
    switch (choice.kind) {
      case 'file':
      case 'folder':
      case 'symbol':
        return choice;
      case 'selection':
        return attachmentOfSelection();
      case 'problems':
        return attachmentOfProblems(choice.scope);
      case 'terminal':
        return this.terminals.attachment(choice.id);
      case 'git':
        return attachmentOfGit(choice);
    }
  }

  private async anything(query: string, signal: AbortSignal): Promise<Completions> {
    if (query === '') return { items: [] };
    const kinds: FindableKind[] = ['file', 'folder', 'symbol'];
    const all = await Promise.all(kinds.map((kind) => this.found(kind, query, MOST_OF_EACH, signal)));
    return { items: all.flatMap(({ items }) => items) };
  }

  private async found(
    kind: FindableKind,
    query: string,
    limit: number,
    signal: AbortSignal,
  ): Promise<Completions> {
    const [ofServer, ofEditor] = await Promise.all([
      this.service.find({ kind, query, limit }, signal),
      kind === 'symbol' && query !== '' ? symbolsOfEditor(query, limit, this.warn) : [],
    ]);
    const symbols = ofServer.items.filter((item) => item.kind === 'symbol');
    const items = kind === 'symbol' ? mergeSymbols(ofEditor, symbols) : ofServer.items;
    const remark = remarkOn(kind, query, items.length, ofServer.complete);
    return { items: items.slice(0, limit).map(completionOf), ...(remark !== undefined && { remark }) };
  }
}

function remarkOn(kind: FindableKind, query: string, found: number, complete: boolean): string | undefined {
  if (kind === 'symbol' && query === '') return 'Type a part of the name of a function, class or method.';
  if (!complete) return 'Not every file was looked through; type more of the name.';
  return found === 0 ? `No ${kind} of the workspace is called so.` : undefined;
}

function completionOf(item: Findable): Completion {
  const name = item.path.slice(item.path.lastIndexOf('/') + 1);
  const folder = item.path.slice(0, -name.length);
  const common = { choice: item, icon: ICONS[item.kind] };
  switch (item.kind) {
    case 'file':
      return {
        ...common,
        choice: { kind: 'file', path: item.path },
        label: name,
        detail: folder,
        insert: `@${item.path}`,
      };
    case 'folder':
      return {
        ...common,
        choice: { kind: 'folder', path: item.path },
        label: `${name}/`,
        detail: `${folder}${folder === '' ? '' : ' '}(${item.files} ${item.files === 1 ? 'file' : 'files'})`,
        insert: `@${item.path}/`,
      };
    case 'symbol':
      return {
        ...common,
        choice: item,
        label: item.name,
        detail: `${item.path}:${item.startLine}`,
        insert: `@${item.name}`,
      };
  }
}
