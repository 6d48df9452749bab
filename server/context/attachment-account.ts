import type { Attachment, AttachmentAccount, AttachmentCount, ExcludedFile } from '../../protocol';
import { LongviewError, throwIfCancelled } from '../errors';
import type { FileBlock } from '../prompt/file-block';
import { excerptText, Layout, type LayoutInput, selectionText } from '../prompt/layout';
import type { ResolvedAttachment } from './attachments';

export interface AccountInput extends Pick<LayoutInput, 'question' | 'openEditor' | 'encode' | 'frame'> {
  attachments: readonly Attachment[];
  budgetTokens: number;
  resolve: (attachment: Attachment) => Promise<ResolvedAttachment>;
  loadFile: (path: string) => Promise<FileBlock | ExcludedFile>;
  signal: AbortSignal;
}

/** Counting ends at so many times the budget: a folder may hold a whole disk. */
const FAR_TOO_MUCH = 4;

/**
 * What each attachment takes of a prompt, and what all need together with the question: `packPrompt` refuses the question
 * exactly when that is more than the budget.
 *
 * @throws CancelledError
 */
export async function accountFor(input: AccountInput): Promise<AttachmentAccount> {
  const counts: AttachmentCount[] = [];
  const usable: ResolvedAttachment[] = [];
  const fileTokens = new Map<string, number>();
  const most = input.budgetTokens * FAR_TOO_MUCH;
  for (const attachment of input.attachments) {
    const resolved = await resolvedOrProblem(input, attachment);
    if ('problem' in resolved) {
      counts.push(resolved);
      continue;
    }
    usable.push(resolved);
    let tokens = textTokens(input, resolved);
    let isLeast = false;
    for (const path of resolved.paths) {
      throwIfCancelled(input.signal);
      const known = fileTokens.get(path) ?? (await tokensOfFile(input, path));
      fileTokens.set(path, known);
      tokens += known;
      isLeast = tokens > most;
      if (isLeast) break;
    }
    counts.push(countOf(attachment, resolved, tokens, isLeast));
  }
  const files = [...fileTokens.values()].reduce((sum, tokens) => sum + tokens, 0);
  return { counts, neededTokens: ownTokens(input, usable) + files, budgetTokens: input.budgetTokens };
}

async function resolvedOrProblem(
  input: AccountInput,
  attachment: Attachment,
): Promise<ResolvedAttachment | { problem: string }> {
  try {
    return await input.resolve(attachment);
  } catch (error) {
    if (error instanceof LongviewError && error.code === 'badRequest') return { problem: error.message };
    throw error;
  }
}

async function tokensOfFile(input: AccountInput, path: string): Promise<number> {
  const block = await input.loadFile(path);
  // A file that went away since it was looked at: the question that names it is refused.
  return 'reason' in block ? 0 : block.ids.length;
}

function textTokens({ encode }: AccountInput, { selections, excerpts }: ResolvedAttachment): number {
  const texts = [...selections.map(selectionText), ...excerpts.map(excerptText)];
  return texts.reduce((sum, text) => sum + encode(text).length, 0);
}

function countOf(
  attachment: Attachment,
  { paths, leftOut }: ResolvedAttachment,
  tokens: number,
  isLeast: boolean,
): AttachmentCount {
  return {
    tokens,
    ...(isLeast && { isLeast }),
    ...(attachment.kind === 'folder' && { files: paths.length }),
    ...(leftOut.length > 0 && { leftOut }),
  };
}

/** Of instructions, question and everything attached that is no file. */
function ownTokens(
  { question, openEditor, encode, frame }: AccountInput,
  usable: readonly ResolvedAttachment[],
): number {
  const layout = new Layout({
    question,
    openEditor,
    history: [],
    selections: usable.flatMap(({ selections }) => selections),
    excerpts: usable.flatMap(({ excerpts }) => excerpts),
    subjects: [...new Set(usable.flatMap(({ subjects }) => subjects))],
    encode,
    frame,
  });
  return layout.ownTokens;
}
