import { LRUCache } from 'lru-cache';
import {
  type AttachmentAccount,
  type ContextAccount,
  type ContextChoices,
  type ContextFolderList,
  type ExcludedFile,
  type FindParams,
  type FindResult,
  type InclusionReport,
  type ManifestSyncParams,
  type ManifestSyncResult,
  type OverlayParams,
  type PromptPartText,
} from '../../protocol';
import { LongviewError } from '../errors';
import { citationsOf } from '../prompt/citations';
import { type Detail, type FileBlock, fileBlock, signaturesBlock } from '../prompt/file-block';
import { type Candidate, isHardlyShorter } from '../prompt/fill';
import { type PackedResult, packPrompt } from '../prompt/pack';
import type { PackedText } from '../prompt/packed-text';
import { baseTokensOf } from '../prompt/parts';
import { packTokenTable, type TokenTableData } from '../tokenizer/token-table';
import { Accounts } from './account/accounts';
import { accountFor } from './attachment-account';
import { type AttachmentSources, resolveAttachment, resolveAttachments } from './attachments';
import { BaseMemory } from './base-memory';
import { Choices } from './choices';
import type {
  BaseRequest,
  BrokenGrammar,
  Cited,
  ContextService,
  CountRequest,
  InspectRequest,
  PackedBase,
  PackedPrompt,
  PackRequest,
} from './context-service';
import { Breather } from './cooperation';
import type { FileSource } from './file-source';
import { Finder } from './find';
import { emptyRepository, noWorkspace } from './no-context';
import { choose } from './pinned';
import type { LoadPromptModel } from './prompt-model';
import { queryOf } from './ranking/question-terms';
import { Repository, type RepositoryOptions, type RepositoryView } from './repository';
import { SecretGate } from './secrets/secret-gate';
import { SecretScanner } from './secrets/secret-scanner';
import { Grammars } from './signatures/grammars';
import { mostTelling } from './signatures/most-telling';
import { SignatureReader } from './signatures/signatures';
import { SymbolLinker } from './symbol-links';
import { Symbols } from './symbols';
import { MeteredEncoder, TokenCache } from './token-cache';

const TEXT_CACHE_BYTES = 24 * 1024 * 1024;
const TOKEN_CACHE_BYTES = 24 * 1024 * 1024;
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

/** A prompt under its number. */
interface Packing {
  packId: number;
  prompt: PackedResult;
  tokenizeMs: number;
}

interface Loading {
  encoder: MeteredEncoder;
  gate: SecretGate;
  /** Of the question: its signatures are those that fit it. */
  boosts: ReadonlyMap<number, number> | undefined;
}

/** The context service in the thread that does the work. */
export class ContextServiceImpl implements ContextService {
  private readonly repository: Repository;
  private readonly grammars: Grammars;
  private readonly signatures: SignatureReader;
  private readonly symbols: Symbols;
  private readonly finder: Finder;
  private readonly linker: SymbolLinker;
  private readonly tokens = new TokenCache(TOKEN_CACHE_BYTES);
  private readonly packs = new LRUCache<number, Pack>({ max: PACKS_KEPT });
  private readonly bases = new BaseMemory();
  private readonly scanner = new SecretScanner();
  private readonly accounts: Accounts;
  private choices = new Choices();
  private lastPackId = 0;

  constructor(
    source: FileSource,
    private readonly loadModel: LoadPromptModel,
    folders: ContextFolders,
    helpers: Pick<RepositoryOptions, 'scan' | 'lastCommits'> = {},
  ) {
    this.grammars = new Grammars(folders.grammars);
    this.signatures = new SignatureReader(this.grammars);
    this.accounts = new Accounts(loadModel);
    this.repository = new Repository(source, {
      textCacheBytes: TEXT_CACHE_BYTES,
      indexFolder: folders.indexes,
      ...helpers,
    });
    this.symbols = new Symbols(this.repository, this.signatures);
    this.finder = new Finder(this.repository, this.symbols);
    this.linker = new SymbolLinker(this.repository, this.symbols);
  }

  sync(params: ManifestSyncParams): Promise<ManifestSyncResult> {
    return Promise.resolve(this.repository.apply(params));
  }

  overlay(params: OverlayParams): Promise<void> {
    this.repository.overlay(params);
    return Promise.resolve();
  }

  choose(choices: ContextChoices): Promise<void> {
    this.choices = new Choices(choices);
    return Promise.resolve();
  }

  async pack(
    request: PackRequest,
    onProgress: (fraction: number) => void,
    signal: AbortSignal,
  ): Promise<PackedPrompt> {
    const { packId, prompt, tokenizeMs } = await this.prompt(request, onProgress, signal);
    const { tokenIds, spans, inclusion, packed } = prompt;
    this.packs.set(packId, { question: request.question, packed });
    // A copy: the ids move to another thread.
    this.account('asked', request, { packId, prompt: { ...prompt, tokenIds: tokenIds.slice() } });
    return { packId, tokenIds, spans, inclusion, tokenizeMs, brokenGrammars: this.brokenFor(inclusion) };
  }

  /** What stood in the way of better signatures, where there are any. */
  private brokenFor({ included }: InclusionReport): BrokenGrammar[] {
    if (!included.some(({ detail }) => detail === 'signatures')) return [];
    return [...this.grammars.failures].map(([grammar, reason]) => ({ grammar, reason }));
  }

  async inspect(request: InspectRequest, signal: AbortSignal): Promise<ContextAccount> {
    const asked = { ...request, question: '' };
    this.account('next', asked, await this.prompt(asked, () => undefined, signal));
    const account = this.accounts.accountOf('next');
    if (!account) throw new Error('the account was not kept');
    return account;
  }

  asked(): Promise<ContextAccount | null> {
    return Promise.resolve(this.accounts.accountOf('asked') ?? null);
  }

  // Async, so that a failure is a rejection.
  async folder(id: number, folder: string): Promise<ContextFolderList> {
    return Promise.resolve(this.accounts.folder(id, folder));
  }

  promptText(id: number): Promise<PromptPartText[]> {
    return this.accounts.text(id);
  }

  async packBase(request: BaseRequest, signal: AbortSignal): Promise<PackedBase> {
    const asked = { ...request, question: '', history: [], attachments: [] };
    const { packId, prompt } = await this.prompt(asked, () => undefined, signal);
    const { tokenIds, spans } = prompt;
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
  ): Promise<Packing> {
    if (!this.repository.hasRoots) throw noWorkspace();
    const model = await this.loadModel(request.modelPath);
    const view = await this.repository.refresh(onProgress, signal);
    const choices = this.choices;
    const gate = new SecretGate(this.scanner, choices);
    const chosen = await choose(choices, this.repository, view);
    const attached = await resolveAttachments(request.attachments, this.sources(view, chosen), gate);
    if (chosen.usable.length === 0)
      throw await emptyRepository({ ...view, ...chosen }, this.repository.rootPaths);
    const encoder = new MeteredEncoder(model.tokenizer, model.identity, this.tokens);
    const breather = new Breather(signal);
    const query = queryOf(request.question, questionsIn(request), request.openEditor);
    const attachedPaths = new Set(attached.paths);
    const usablePaths = attachedPaths.size === 0 ? chosen.usable : withOthers(chosen.usable, attachedPaths);
    const unusable = chosen.unusable.filter(({ path }) => !attachedPaths.has(path));
    const isUsable = ({ path }: Candidate): boolean =>
      choices.of(path) !== 'excluded' || attachedPaths.has(path);
    const bases = this.bases.for(model.identity, request.budgetTokens);
    const prompt = await packPrompt({
      budgetTokens: request.budgetTokens,
      question: request.question,
      history: request.history,
      openEditor: request.openEditor,
      selections: attached.selections,
      excerpts: attached.excerpts,
      subjects: attached.subjects,
      attachedPaths: attached.paths,
      totalFiles: usablePaths.length + unusable.length,
      usablePaths,
      pinnedPaths: chosen.pinned,
      secrets: gate.found,
      unusable,
      rankBase: () => this.repository.rankBase(usablePaths),
      earlierBase: bases.details,
      // What is excluded by now must not be sent, computed or not.
      earlierBases: bases.all.filter(({ files }) =>
        files.every(({ path }) => choices.of(path) !== 'excluded'),
      ),
      held: request.held ?? [],
      rank: () => {
        if (request.question === '') return [];
        const ranked = this.repository.rank(query);
        return choices.isSilent ? ranked : ranked.filter(isUsable);
      },
      loadFile: async (path, detail = 'full', forQuestion = false) => {
        await breather.breathe();
        return this.loadBlock(path, detail, {
          encoder,
          gate,
          boosts: forQuestion ? query.boosts : undefined,
        });
      },
      encode: (text) => encoder.encode(text),
      frame: model.frame,
      signal,
    });
    bases.keep(prompt.base, prompt.usedBase);
    return { packId: ++this.lastPackId, prompt, tokenizeMs: encoder.spentMs };
  }

  private account(
    of: ContextAccount['of'],
    { modelPath, budgetTokens, contextTokens = budgetTokens }: PackRequest,
    { packId, prompt }: Omit<Packing, 'tokenizeMs'>,
  ): void {
    const { tokenIds, spans, facts } = prompt;
    this.accounts.keep(of, { packId, modelPath, contextTokens, tokenIds, spans, facts });
  }

  async countAttachments(request: CountRequest, signal: AbortSignal): Promise<AttachmentAccount> {
    if (!this.repository.hasRoots) throw noWorkspace();
    const model = await this.loadModel(request.modelPath);
    const view = await this.repository.refresh(() => undefined, signal);
    const sources = this.sources(view, await choose(this.choices, this.repository, view));
    const encoder = new MeteredEncoder(model.tokenizer, model.identity, this.tokens);
    const breather = new Breather(signal);
    return accountFor({
      ...request,
      resolve: (attachment) => resolveAttachment(attachment, sources),
      loadFile: async (path) => {
        await breather.breathe();
        return this.wholeBlock(path, encoder);
      },
      encode: (text) => encoder.encode(text),
      frame: model.frame,
      signal,
    });
  }

  private sources(
    view: RepositoryView,
    chosen: Pick<RepositoryView, 'usable' | 'unusable'>,
  ): AttachmentSources {
    return { repository: this.repository, view, chosen, symbols: this.symbols };
  }

  /** Whatever it holds: only for counting. */
  private async wholeBlock(path: string, encoder: MeteredEncoder): Promise<FileBlock | ExcludedFile> {
    const loaded = await this.repository.load(path);
    if (loaded.kind === 'excluded') return { path, reason: loaded.reason };
    const ids = encoder.encodeContent(loaded.hash, loaded.text);
    return fileBlock({ path, ...loaded }, ids, (text) => encoder.encode(text));
  }

  find(params: FindParams, signal: AbortSignal): Promise<FindResult> {
    return this.finder.find(params, signal);
  }

  async cite(packId: number, answer: string): Promise<Cited> {
    const pack = this.packs.get(packId);
    if (!pack) throw forgottenPack(packId);
    const { question, packed } = pack;
    const citations = citationsOf(answer, question, packed);
    return { citations, symbols: await this.linker.linksIn(answer, packed) };
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

  private async loadBlock(
    path: string,
    detail: Detail,
    { encoder, gate, boosts }: Loading,
  ): Promise<FileBlock | ExcludedFile> {
    const loaded = await this.repository.load(path);
    if (loaded.kind === 'excluded') return { path, reason: loaded.reason };
    const encode = (text: string): Int32Array => encoder.encode(text);
    if (detail === 'signatures') {
      const all = await this.signatures.read(path, loaded.hash, loaded.text);
      const some = mostTelling(all, boosts);
      const block = signaturesBlock({ path, editedAtMs: loaded.editedAtMs }, some, encode);
      if (some.length > 0 && !isHardlyShorter(block.text, loaded.text)) {
        return (await gate.passesSignatures(block)) ? block : { path, reason: 'secret' };
      }
    }
    if (!(await gate.passes(path, loaded.hash, loaded.text))) return { path, reason: 'secret' };
    return fileBlock({ path, ...loaded }, encoder.encodeContent(loaded.hash, loaded.text), encode);
  }
}

/** In their order, with those of `others` behind them that are not there. */
function withOthers(paths: readonly string[], others: ReadonlySet<string>): string[] {
  return [...new Set([...paths, ...others])];
}

function questionsIn({ history }: PackRequest): string[] {
  return history.filter((turn) => turn.role === 'user').map((turn) => turn.text);
}

function forgottenPack(packId: number): LongviewError {
  return new LongviewError(
    'internal',
    `The text packed for prompt ${packId} is not kept any more.`,
    'Ask the question again.',
  );
}
