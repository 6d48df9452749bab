import fs from 'node:fs';
import path from 'node:path';
import { openGguf } from '../../server/models/gguf/open-gguf';
import { buildCell, type Cell } from './cell';
import { readCorpus } from './fetch';
import type { QuestionCounts } from './planting';
import { PromptWriter } from './prompts';
import type { Planting } from './sets';

export interface PublishOptions {
  corpus: string;
  modelPath: string;
  /** In tokens. */
  lengths: readonly number[];
  out: string;
}

/** A prompt of the bench, for programs that are not this one: everything as text and as token ids. */
interface PublishedPrompt {
  repository: string;
  version: string;
  seed: number;
  /** Whose tokenizer made the ids. */
  model: string;
  lengthTokens: number;
  prefix: number[];
  questions: {
    task: string;
    depth: number;
    text: string;
    lead: string;
    /** Behind the prefix: the question, and `lead`, with which the answer begins. */
    rest: number[];
    expected: string;
  }[];
  /** What follows the prefix in the repository. */
  continuation: number[];
}

/** Writes the prompts of `plantings` to `out`, one JSON file each: no GPU, and of the model the tokenizer alone. */
export async function publishPrompts(
  options: PublishOptions,
  plantings: readonly Planting[],
  counts: QuestionCounts,
): Promise<void> {
  const gguf = await openGguf(options.modelPath);
  const writer = new PromptWriter(gguf);
  await gguf.close();
  fs.mkdirSync(options.out, { recursive: true });
  for (const lengthTokens of options.lengths) {
    for (const planting of plantings) {
      const corpus = readCorpus(options.corpus, planting);
      const cell = buildCell(writer, corpus, planting, lengthTokens, counts);
      const file = path.join(options.out, `prompt-${lengthTokens / 1000}k-${cell.name}.json`);
      const model = path.basename(path.dirname(options.modelPath));
      fs.writeFileSync(file, JSON.stringify(publishedOf(cell, planting, lengthTokens, model)));
      console.log(`${file}: ${cell.prefix.length} tokens, ${cell.questions.length} questions`);
    }
  }
}

function publishedOf(
  cell: Cell,
  { repository, seed }: Planting,
  lengthTokens: number,
  model: string,
): PublishedPrompt {
  return {
    repository: repository.package,
    version: repository.version,
    seed,
    model,
    lengthTokens,
    prefix: [...cell.prefix],
    questions: cell.questions.map(({ task, depth, text, lead, rest, expected }) => ({
      task,
      depth,
      text,
      lead,
      rest: [...rest],
      expected,
    })),
    continuation: [...cell.continuation],
  };
}
