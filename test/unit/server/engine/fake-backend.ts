import assert from 'node:assert/strict';
import type { Device, DeviceChoice, PrefillPrecision } from '../../../../protocol';
import type {
  Backend,
  DecodeStepRequest,
  DeviceBackend,
  ExportKvRequest,
  ImportKvRequest,
  LoadedModel,
  LoadProgress,
  LoadRequest,
  PrefillChunkRequest,
  RestoredKv,
  RestoreKvRequest,
  RewindRequest,
  SequenceId,
  SparsePrefill,
  StepResult,
  StoredKv,
  StoreKvRequest,
  StoringBackend,
} from '../../../../server/backends/backend';
import type { BackendProvider } from '../../../../server/engine/backend-provider';
import type { TokenText } from '../../../../server/engine/generation';
import { LongviewError } from '../../../../server/errors';

/** Ends an answer in the fake vocabulary. */
const END = 0;

/** Tokens of a block of KV. */
const KV_BLOCK = 4;

export interface FakeScript {
  /** Code points the device answers with, after every prompt; `END` follows. */
  answer: string;
  chunkTokens: number;
  contextTokens: number;
  maxSequences: number;
  kvPoolTokens: number;
  /** What the disk says to whoever writes. */
  diskFailure?: string;
  /** Why there is no SampleAttention; undefined: there is. */
  sampleUnavailable: string | undefined;
  prefillPrecision?: PrefillPrecision;
  /** What each chunk tells of itself before it is done. */
  shares: number[];
  /** Of each chunk. */
  deviceMs: number;
  /** Of each chunk's time; undefined: it does not tell. */
  attentionMs?: number | undefined;
  /** Called before each call on the device; may wait, abort a signal or throw. */
  before: (call: string, count: number) => Promise<void> | void;
}

/**
 * A device that answers by script and holds the rules of `Backend` against its caller: calls never overlap,
 * chunks are not too long, sequences exist and never outgrow the context.
 */
export class FakeBackend implements DeviceBackend, StoringBackend {
  readonly calls: string[] = [];
  readonly chunkSizes: number[] = [];
  /** What each chunk was told of sparse prefill. */
  readonly sparse: (SparsePrefill | undefined)[] = [];
  /** Of each decode step: whether the device was told that another follows. */
  readonly continued: boolean[] = [];
  readonly script: FakeScript;
  /** KV beside the device. Outlives a load, as it does on disk. */
  readonly stored: Map<string, number[]>;
  private readonly sequences = new Map<SequenceId, { kv: number[]; said: number }>();
  private model: LoadedModel | undefined;
  private nextId = 1;
  private busy = false;

  constructor(
    script: Partial<FakeScript> = {},
    stored = new Map<string, number[]>(),
    readonly costs = new Map<string, number>(),
  ) {
    this.stored = stored;
    this.script = {
      answer: 'ok',
      chunkTokens: 4,
      contextTokens: 100,
      maxSequences: 1,
      kvPoolTokens: 1000,
      sampleUnavailable: 'it is a fake',
      shares: [],
      deviceMs: 1,
      before: () => undefined,
      ...script,
    };
  }

  /** Tokens whose KV the device holds, for every open sequence. */
  get kv(): number[][] {
    return [...this.sequences.values()].map(({ kv }) => kv);
  }

  async load(request: LoadRequest, onProgress: (progress: LoadProgress) => void): Promise<LoadedModel> {
    return this.call('load', () => {
      this.sequences.clear();
      onProgress({ stage: 'load', fraction: 1 });
      const { sampleUnavailable, prefillPrecision } = this.script;
      this.model = {
        backend: 'onnx',
        device: 'fake',
        contextTokens: Math.min(request.contextTokens, this.script.contextTokens),
        vocabSize: 1000,
        maxSequences: this.script.maxSequences,
        prefillChunkTokens: this.script.chunkTokens,
        backgroundChunkTokens: Math.max(1, this.script.chunkTokens / 2),
        kvPoolTokens: this.script.kvPoolTokens,
        kvBlockTokens: KV_BLOCK,
        notices: [],
        ...(sampleUnavailable !== undefined && { sampleUnavailable }),
        ...(prefillPrecision && { prefillPrecision }),
      };
      return this.model;
    });
  }

  async openSequence(): Promise<SequenceId> {
    return this.call('open', () => {
      return this.add([]);
    });
  }

  async forkSequence({ sequence, lengthTokens }: RewindRequest): Promise<SequenceId> {
    return this.call('fork', () => {
      const { kv } = this.stateOf(sequence);
      assert.ok(lengthTokens <= kv.length, 'a fork starts with what there is');
      return this.add(kv.slice(0, lengthTokens));
    });
  }

  async prefillChunk(
    { sequence, tokens, sparse, sample }: PrefillChunkRequest,
    onShare?: (share: number) => void,
  ): Promise<StepResult> {
    return this.call('prefill', () => {
      for (const share of this.script.shares) onShare?.(share);
      assert.ok(tokens.length > 0 && tokens.length <= this.script.chunkTokens, 'chunk size');
      this.chunkSizes.push(tokens.length);
      this.sparse.push(sparse);
      if (sparse)
        assert.equal(this.stateOf(sequence).kv.length % 128, 0, 'a sparse chunk starts on the grid');
      const state = this.grow(sequence, tokens);
      state.said = 0;
      return {
        ...(sample && { next: this.nextToken(state) }),
        ...(sparse && { blocks: { kept: 1, visible: 4 } }),
        deviceMs: this.script.deviceMs,
        ...(this.script.attentionMs !== undefined && { attentionMs: this.script.attentionMs }),
      };
    });
  }

  async decodeStep({ sequence, token, continues = false }: DecodeStepRequest): Promise<StepResult> {
    this.continued.push(continues);
    return this.call('decode', () => ({
      next: this.nextToken(this.grow(sequence, [token])),
      deviceMs: 1,
    }));
  }

  async rewindSequence({ sequence, lengthTokens }: RewindRequest): Promise<void> {
    return this.call('rewind', () => {
      const state = this.stateOf(sequence);
      assert.ok(lengthTokens <= state.kv.length, 'rewind only goes back');
      state.kv.length = lengthTokens;
    });
  }

  /** The KV of a token is the token. */
  async exportKv({ sequence, startToken, tokens }: ExportKvRequest): Promise<Uint8Array> {
    return this.call('export', () => {
      const { kv } = this.stateOf(sequence);
      assert.ok(tokens > 0 && startToken + tokens <= kv.length, 'only what is there can leave');
      return new Uint8Array(Int32Array.from(kv.slice(startToken, startToken + tokens)).buffer);
    });
  }

  async importKv({ sequence, tokens, kv }: ImportKvRequest): Promise<void> {
    return this.call('import', () => {
      const values = new Int32Array(kv.slice().buffer);
      assert.equal(values.length, tokens);
      this.grow(sequence, values);
    });
  }

  async countStoredKv(blocks: string[]): Promise<number> {
    return this.call('count', () => {
      const missing = blocks.findIndex((block) => !this.stored.has(block));
      return missing < 0 ? blocks.length : missing;
    });
  }

  async storedKvCost(block: string): Promise<number | undefined> {
    return this.call('cost', () => this.costs.get(block));
  }

  async storeKv({ sequence, block, startToken, tokens, computeMs }: StoreKvRequest): Promise<StoredKv> {
    return this.call('store', () => {
      const { kv } = this.stateOf(sequence);
      if (computeMs !== undefined) this.costs.set(block, computeMs);
      assert.ok(tokens === KV_BLOCK && startToken + tokens <= kv.length, 'only whole blocks that are there');
      this.stored.set(block, kv.slice(startToken, startToken + tokens));
      return this.script.diskFailure === undefined ? {} : { diskFailure: this.script.diskFailure };
    });
  }

  async restoreKv({ sequence, block, startToken, tokens }: RestoreKvRequest): Promise<RestoredKv> {
    return this.call('restore', () => {
      const kv = this.stored.get(block);
      if (!kv) return { missing: 'absent' };
      if (kv.length !== tokens) return { missing: 'damaged' };
      assert.equal(this.stateOf(sequence).kv.length, startToken, 'a block goes to its own place');
      this.grow(sequence, kv);
      return { source: 'disk' };
    });
  }

  async purgeKv(): Promise<number> {
    return this.call('purge', () => {
      this.stored.clear();
      return 42;
    });
  }

  async closeSequence(sequence: SequenceId): Promise<void> {
    return this.call('close', () => {
      this.stateOf(sequence);
      this.sequences.delete(sequence);
    });
  }

  dispose(): Promise<void> {
    this.calls.push('dispose');
    return Promise.resolve();
  }

  private async call<T>(name: string, work: () => T): Promise<T> {
    assert.ok(!this.busy, `${name} overlaps another call`);
    this.busy = true;
    this.calls.push(name);
    try {
      await this.script.before(name, this.calls.filter((call) => call === name).length);
      await new Promise((resolve) => setImmediate(resolve));
      return work();
    } finally {
      this.busy = false;
    }
  }

  private add(kv: number[]): SequenceId {
    assert.ok(this.sequences.size < this.script.maxSequences, 'no more sequences may be open');
    this.sequences.set(this.nextId, { kv, said: 0 });
    return this.nextId++;
  }

  private stateOf(sequence: SequenceId) {
    const state = this.sequences.get(sequence);
    assert.ok(state, `sequence ${sequence} is not open`);
    return state;
  }

  private grow(sequence: SequenceId, tokens: Iterable<number>) {
    const state = this.stateOf(sequence);
    state.kv.push(...tokens);
    assert.ok(state.kv.length <= (this.model?.contextTokens ?? 0), 'the sequence outgrew the context');
    return state;
  }

  private nextToken(state: { said: number }): number {
    return Array.from(this.script.answer)[state.said++]?.codePointAt(0) ?? END;
  }
}

/** A vocabulary in which a token is a code point. */
export const FAKE_TEXT: TokenText = {
  endTokens: [END],
  firstUnusedToken: 900,
  streamDecoder: () => ({ push: (id) => String.fromCodePoint(id), flush: () => '' }),
};

/** Hands out backends; a crashed one is replaced by the next. */
export class FakeProvider implements BackendProvider {
  started = 1;
  released = 0;

  constructor(
    public backend: FakeBackend,
    private readonly autoDevice: Device = 'cpu',
  ) {}

  acquire(): Promise<FakeBackend> {
    return Promise.resolve(this.backend);
  }

  deviceFor(choice: DeviceChoice): Promise<Device> {
    return Promise.resolve(choice === 'auto' ? this.autoDevice : choice);
  }

  isAlive(backend: Backend): boolean {
    return backend === this.backend;
  }

  /** The error a crash gives; from now on a fresh backend is handed out. */
  crash(): LongviewError {
    this.backend = new FakeBackend({ ...this.backend.script, before: () => undefined });
    this.started++;
    return new LongviewError('engineCrashed', 'The engine was killed.', 'Ask again.');
  }

  async release(): Promise<void> {
    this.released++;
    await this.backend.dispose();
    this.backend = new FakeBackend(this.backend.script);
    this.started++;
  }

  dispose(): Promise<void> {
    return this.backend.dispose();
  }
}
