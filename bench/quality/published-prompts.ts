import fs from 'node:fs';
import path from 'node:path';
import { selectionOf } from '../../server/engine/attention-policy';
import { openGguf } from '../../server/models/gguf/open-gguf';
import { readModelSpec } from '../../server/models/read-model-spec';
import { buildCell, type Cell } from './cell';
import { contextFor, YARN_FACTOR } from './contexts';
import { readCorpus } from './fetch';
import type { QuestionCounts } from './planting';
import { PromptWriter } from './prompts';
import { publishModel } from './published-model';
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
  /** That the model is loaded with for it. */
  contextTokens: number;
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

/**
 * Writes the prompts of `plantings` to `out`, one JSON file each; `selections.json`, those of the quality classes; and
 * `model.json`, where in the model's file its tensors lie. Needs no GPU.
 */
export async function publishPrompts(
  options: PublishOptions,
  plantings: readonly Planting[],
  counts: QuestionCounts,
): Promise<void> {
  const gguf = await openGguf(options.modelPath);
  const writer = new PromptWriter(gguf);
  fs.mkdirSync(options.out, { recursive: true });
  const spec = readModelSpec(gguf);
  const contextOf = (lengthTokens: number) => contextFor(lengthTokens, spec.trainedContextTokens);
  const contexts = [...new Set(options.lengths.map(contextOf))];
  const loads = contexts.map((contextTokens) => ({ contextTokens, yarnFactor: YARN_FACTOR }));
  await publishModel(gguf, writer.tokenizer, loads, path.join(options.out, 'model.json'));
  await gguf.close();
  const selections = { balanced: selectionOf('balanced', spec), fast: selectionOf('fast', spec) };
  fs.writeFileSync(path.join(options.out, 'selections.json'), JSON.stringify(selections));
  for (const lengthTokens of options.lengths) {
    for (const planting of plantings) {
      const corpus = readCorpus(options.corpus, planting);
      const cell = buildCell(writer, corpus, planting, lengthTokens, counts);
      const file = path.join(options.out, `prompt-${lengthTokens / 1000}k-${cell.name}.json`);
      const model = path.basename(path.dirname(options.modelPath));
      fs.writeFileSync(
        file,
        JSON.stringify(
          publishedOf(cell, planting, { lengthTokens, contextTokens: contextOf(lengthTokens), model }),
        ),
      );
      console.log(`${file}: ${cell.prefix.length} tokens, ${cell.questions.length} questions`);
    }
  }
}

function publishedOf(
  cell: Cell,
  { repository, seed }: Planting,
  of: Pick<PublishedPrompt, 'model' | 'lengthTokens' | 'contextTokens'>,
): PublishedPrompt {
  return {
    repository: repository.package,
    version: repository.version,
    seed,
    ...of,
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
