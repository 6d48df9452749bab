import { stat } from 'node:fs/promises';
import { LRUCache } from 'lru-cache';
import { openModel } from '../models/open-model';
import { ChatFrame } from '../prompt/chat-frame';
import { ChatTemplate } from '../tokenizer/chat-template';
import { tokenizerFromMetadata } from '../tokenizer/from-gguf';
import type { Tokenizer } from '../tokenizer/tokenizer';

/** What of a model is needed to write a prompt for it. */
export interface PromptModel {
  /** Changes whenever the model's ids could: part of every key of cached tokens. */
  identity: string;
  tokenizer: Tokenizer;
  frame: ChatFrame;
}

export type LoadPromptModel = (modelPath: string) => Promise<PromptModel>;

/** A vocabulary takes tens of megabytes; people go back and forth between two models at most. */
const MODELS_KEPT = 2;

/** Tokenizers and chat templates from GGUF headers, kept while the file stays the same. */
export class PromptModels {
  private readonly models = new LRUCache<string, PromptModel>({ max: MODELS_KEPT });

  /** @throws LongviewError `modelMissing`, `modelCorrupt`, `modelUnsupported` */
  readonly load: LoadPromptModel = async (modelPath) => {
    const identity = await identityOf(modelPath);
    const known = this.models.get(identity);
    if (known) return known;
    const model = await loadPromptModel(modelPath, identity);
    this.models.set(identity, model);
    return model;
  };
}

async function loadPromptModel(modelPath: string, identity: string): Promise<PromptModel> {
  const file = await openModel(modelPath);
  try {
    const tokenizer = tokenizerFromMetadata(file.metadata);
    const frame = new ChatFrame(new ChatTemplate(file.metadata), tokenizer);
    return { identity, tokenizer, frame };
  } finally {
    await file.close();
  }
}

/** A missing file is named by `openModel`, in the words of models. */
async function identityOf(modelPath: string): Promise<string> {
  const stamp = await stat(modelPath).then(
    ({ size, mtimeMs }) => `${size}:${mtimeMs}`,
    () => 'missing',
  );
  return `${modelPath}:${stamp}`;
}
