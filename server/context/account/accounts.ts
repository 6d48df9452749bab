import type { ContextAccount, ContextFolderList, PromptPartText } from '../../../protocol';
import { LongviewError } from '../../errors';
import { accountForFiles, type InclusionFacts, summarizeInclusion } from '../../prompt/inclusion';
import type { PromptSpan } from '../../prompt/parts';
import type { LoadPromptModel } from '../prompt-model';
import { FileTree } from './file-tree';
import { partTokens, promptText } from './prompt-text';

/** All that is kept of a packed prompt so that it can be looked into. */
export interface AccountedPrompt {
  packId: number;
  modelPath: string;
  contextTokens: number;
  tokenIds: Int32Array;
  spans: readonly PromptSpan[];
  facts: InclusionFacts;
}

interface Kept extends AccountedPrompt {
  of: ContextAccount['of'];
  /** Made when somebody looks. */
  view?: { account: ContextAccount; tree: FileTree };
}

/** Prompts that can be looked into: the last one that was asked, and the last that was packed to be looked at. */
export class Accounts {
  private readonly kept = new Map<ContextAccount['of'], Kept>();

  constructor(private readonly loadModel: LoadPromptModel) {}

  keep(of: ContextAccount['of'], prompt: AccountedPrompt): void {
    this.kept.set(of, { ...prompt, of });
  }

  /** Undefined before there is one. */
  accountOf(of: ContextAccount['of']): ContextAccount | undefined {
    const prompt = this.kept.get(of);
    return prompt && viewOf(prompt).account;
  }

  /** @throws LongviewError `badRequest` when another has taken its place */
  folder(id: number, folder: string): ContextFolderList {
    return viewOf(this.find(id)).tree.list(folder);
  }

  /** @throws LongviewError `badRequest` when another has taken its place */
  async text(id: number): Promise<PromptPartText[]> {
    const { modelPath, tokenIds, spans } = this.find(id);
    const { tokenizer } = await this.loadModel(modelPath);
    return promptText(tokenIds, spans, tokenizer);
  }

  private find(id: number): Kept {
    const found = [...this.kept.values()].find(({ packId }) => packId === id);
    if (found) return found;
    throw new LongviewError(
      'badRequest',
      `The prompt ${id} is not kept any more: another one has been packed since.`,
      'Look at the newer one.',
      { id },
    );
  }
}

function viewOf(prompt: Kept): NonNullable<Kept['view']> {
  prompt.view ??= view(prompt);
  return prompt.view;
}

function view({ packId, of, contextTokens, tokenIds, spans, facts }: Kept): NonNullable<Kept['view']> {
  const files = accountForFiles(facts);
  const tree = new FileTree(files.included, files.excluded);
  const heldBack = files.excluded.filter(({ reason }) => reason === 'secret');
  const account: ContextAccount = {
    id: packId,
    of,
    contextTokens,
    budgetTokens: facts.budgetTokens,
    promptTokens: tokenIds.length,
    parts: partTokens(spans, tokenIds.length),
    inclusion: summarizeInclusion(facts, files),
    files: tree.counts,
    heldBack: heldBack.map(({ path, secrets = [] }) => ({ path, secrets })),
  };
  return { account, tree };
}
