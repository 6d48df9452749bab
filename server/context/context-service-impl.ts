import { LRUCache } from 'lru-cache';
import {
  type Citation,
  countText,
  type ExcludedFile,
  type ExclusionReason,
  exclusionText,
  type ManifestSyncParams,
  type ManifestSyncResult,
  type OverlayParams,
} from '../../protocol';
import { LongviewError } from '../errors';
import { citationsOf } from '../prompt/citations';
import { type Detail, type FileBlock, fileBlock, signaturesBlock } from '../prompt/file-block';
import { isHardlyShorter } from '../prompt/fill';
import { packPrompt } from '../prompt/pack';
import type { PackedText } from '../prompt/packed-text';
import { baseTokensOf } from '../prompt/parts';
import { packTokenTable, type TokenTableData } from '../tokenizer/token-table';
import { resolveAttachments } from './attachments';
import { BaseMemory } from './base-memory';
import type { BaseRequest, ContextService, PackedBase, PackedPrompt, PackRequest } from './context-service';
import { Breather } from './cooperation';
import type { FileSource } from './file-source';
import type { LoadPromptModel } from './prompt-model';
import { queryOf } from './ranking/question-terms';
import { Repository, type RepositoryView } from './repository';
import { Grammars } from './signatures/grammars';
import { mostTelling } from './signatures/most-telling';
import { SignatureReader } from './signatures/signatures';
import { MeteredEncoder, TokenCache } from './token-cache';

const TEXT_CACHE_BYTES = 64 * 1024 * 1024;
const TOKEN_CACHE_BYTES = 64 * 1024 * 1024;
/** Packed texts that callers forgot to release go when this many newer ones are there. */
const PACKS_KEPT = 16;

export interface ContextFolders {
  /** Holds tree-sitter and its grammars. */
  grammars: string;
  /** Where what is known of repositories is kept from one start to the next; without one it is not kept. */
  indexes?: string | undefined;
}

interface Pack {
  question: string;
  packed: readonly PackedText[];
}

/** The context service in the thread that does the work. */
export class ContextServiceImpl implements ContextService {
  private readonly repository: Repository;
  private readonly signatures: SignatureReader;
  private readonly tokens = new TokenCache(TOKEN_CACHE_BYTES);
  private readonly packs = new LRUCache<number, Pack>({ max: PACKS_KEPT });
  private readonly bases = new BaseMemory();
  private lastPackId = 0;

  constructor(
    source: FileSource,
    private readonly loadModel: LoadPromptModel,
    folders: ContextFolders,
  ) {
    this.signatures = new SignatureReader(new Grammars(folders.grammars));
    this.repository = new Repository(source, TEXT_CACHE_BYTES, folders.indexes);
  }

  sync(params: ManifestSyncParams): Promise<ManifestSyncResult> {
    return Promise.resolve(this.repository.apply(params));
  }

  overlay(params: OverlayParams): Promise<void> {
    this.repository.overlay(params);
    return Promise.resolve();
  }

  async pack(
    request: PackRequest,
    onProgress: (fraction: number) => void,
    signal: AbortSignal,
  ): Promise<PackedPrompt> {
    const { packed, ...prompt } = await this.prompt(request, onProgress, signal);
    this.packs.set(prompt.packId, { question: request.question, packed });
    return prompt;
  }

  async packBase(request: BaseRequest, signal: AbortSignal): Promise<PackedBase> {
    const asked = { ...request, question: '', history: [], attachments: [] };
    const { packId, tokenIds, spans } = await this.prompt(asked, () => undefined, signal);
    const baseTokens = baseTokensOf(spans);
    return {
      packId,
      tokenIds: tokenIds.slice(0, baseTokens),
      spans: spans.filter(({ startToken }) => startToken < baseTokens),
    };
  }

  private async prompt(
    request: PackRequest,
    onProgress: (fraction: number) => void,
    signal: AbortSignal,
  ): Promise<PackedPrompt & { packed: readonly PackedText[] }> {
    if (!this.repository.hasRoots) throw noWorkspace();
    const model = await this.loadModel(request.modelPath);
    const view = await this.repository.refresh(onProgress, signal);
    if (view.usable.length === 0) throw emptyRepository(view, this.repository.rootPaths);
    const attached = await resolveAttachments(request.attachments, this.repository, view);
    const encoder = new MeteredEncoder(model.tokenizer, model.identity, this.tokens);
    const breather = new Breather(signal);
    const query = queryOf(request.question, questionsIn(request), request.openEditor);
    const usablePaths = [...new Set([...view.usable, ...attached.paths])];
    const bases = this.bases.for(model.identity, request.budgetTokens);
    const { tokenIds, spans, inclusion, packed, base, usedBase } = await packPrompt({
      budgetTokens: request.budgetTokens,
      question: request.question,
      history: request.history,
      openEditor: request.openEditor,
      selections: attached.selections,
      attachedPaths: attached.paths,
      totalFiles: usablePaths.length + view.unusable.length,
      usablePaths,
      unusable: view.unusable,
      rankBase: () => this.repository.rankBase(usablePaths),
      earlierBase: bases.details,
      earlierBases: bases.all,
      held: request.held ?? [],
      rank: () => this.repository.rank(query),
      loadFile: async (path, detail = 'full', forQuestion = false) => {
        await breather.breathe();
        return this.loadBlock(path, detail, encoder, forQuestion ? query.boosts : undefined);
      },
      encode: (text) => encoder.encode(text),
      frame: model.frame,
      signal,
    });
    bases.keep(base, usedBase);
    const packId = ++this.lastPackId;
    return { packId, tokenIds, spans, inclusion, packed, tokenizeMs: encoder.spentMs };
  }

  cite(packId: number, answer: string): Promise<Citation[]> {
    const pack = this.packs.get(packId);
    if (!pack) return Promise.reject(forgottenPack(packId));
    return Promise.resolve(citationsOf(answer, pack.question, pack.packed));
  }

  release(packId: number): void {
    this.packs.delete(packId);
  }

  async tokenTable(modelPath: string): Promise<TokenTableData> {
    const { tokenizer } = await this.loadModel(modelPath);
    return packTokenTable(tokenizer);
  }

  dispose(): Promise<void> {
    this.packs.clear();
    return Promise.resolve();
  }

  /** @param boosts of the question: its signatures are those that fit it */
  private async loadBlock(
    path: string,
    detail: Detail,
    encoder: MeteredEncoder,
    boosts: ReadonlyMap<number, number> | undefined,
  ): Promise<FileBlock | ExcludedFile> {
    const loaded = await this.repository.load(path);
    if (loaded.kind === 'excluded') return { path, reason: loaded.reason };
    const encode = (text: string): Int32Array => encoder.encode(text);
    if (detail === 'signatures') {
      const all = await this.signatures.read(path, loaded.hash, loaded.text);
      const some = mostTelling(all, boosts);
      const block = signaturesBlock({ path, editedAtMs: loaded.editedAtMs }, some, encode);
      if (some.length > 0 && !isHardlyShorter(block.text, loaded.text)) return block;
    }
    return fileBlock({ path, ...loaded }, encoder.encodeContent(loaded.hash, loaded.text), encode);
  }
}

function questionsIn({ history }: PackRequest): string[] {
  return history.filter((turn) => turn.role === 'user').map((turn) => turn.text);
}

function noWorkspace(): LongviewError {
  return new LongviewError(
    'noWorkspace',
    'No folder is open.',
    'Open the folder that the question is about.',
  );
}

function emptyRepository(view: RepositoryView, roots: readonly string[]): LongviewError {
  const what =
    view.totalFiles === 0
      ? 'holds no files that ignore rules and settings leave in'
      : `holds no file that can be read as text (${summary(view.unusable)})`;
  return new LongviewError(
    'emptyRepository',
    `${roots.join(', ')} ${what}.`,
    'Open a folder with source files, or change what is ignored and excluded.',
    { files: view.totalFiles },
  );
}

function summary(unusable: readonly ExcludedFile[]): string {
  const counts = new Map<ExclusionReason, number>();
  for (const { reason } of unusable) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts].map(([reason, count]) => `${countText(count)} ${exclusionText(reason)}`).join(', ');
}

function forgottenPack(packId: number): LongviewError {
  return new LongviewError(
    'internal',
    `The text packed for prompt ${packId} is not kept any more.`,
    'Ask the question again.',
  );
}
