import { type Agreement, compare, type DensePosition, densePosition } from './agreement';
import type { Cell } from './cell';
import { type CellFacts, type Configuration, DENSE } from './configurations';
import type { Task } from './planting';
import type { ForcedAnswer, PrefixReader } from './reader';
import { mean } from './statistics';

const FREE_ANSWER_TOKENS = 64;

export interface Answer {
  task: Task;
  depth: number;
  right: boolean;
  /** In a sweep: natural logarithm of the probability of what is expected. */
  logP?: number;
  /** In a sweep: KL(dense || this), mean over the tokens of what is expected. */
  kl?: number;
}

/** What one configuration came to on one cell. */
export interface Outcome {
  configuration: string;
  /** The selection in full. */
  attention: string;
  prefillMs: number;
  /** Of that: choosing key blocks, and attention. */
  attentionMs: number;
  /** Of that: choosing key blocks. */
  selectionMs: number;
  /** Share of the key blocks that were read; 1 under dense. */
  density: number;
  /** Of each head, layer by layer. */
  densities?: number[];
  /** By question, in the order in which dense answers them, too. */
  answers: Answer[];
  agreement?: Agreement;
  /** Tokens of the free answer that are the same as dense's, from the first on, and how many dense has. */
  sameAnswerTokens?: { same: number; of: number };
}

export interface CellOutcome {
  cell: string;
  language: string;
  lengthTokens: number;
  prefixTokens: number;
  layers: number;
  /** Query heads of a layer. */
  heads: number;
  outcomes: Outcome[];
}

export interface MeasureOptions {
  model: CellFacts['model'];
  lengthTokens: number;
  /** Whether what is expected is forced, and its likelihood kept; else the model answers, and answers a free question. */
  forcesAnswers: boolean;
  /** Of the vocabulary without unused rows. */
  vocabularySize: number;
}

/** What dense attention came to on a cell, which ran first: others are compared with it. */
interface DenseReference {
  positions: DensePosition[];
  forced: ForcedAnswer[];
  free: number[];
}

/** Runs dense and then each configuration on one cell; all answer the same questions. */
export async function measureCell(
  reader: PrefixReader,
  cell: Cell,
  configurations: readonly Configuration[],
  options: MeasureOptions,
): Promise<CellOutcome> {
  const { lengthTokens, model } = options;
  const reference: DenseReference = { positions: [], forced: [], free: [] };
  let balancedDensity = 1;
  const outcomes: Outcome[] = [];
  for (const configuration of [DENSE, ...configurations]) {
    const selection = configuration.selection({ prefixTokens: cell.prefix.length, balancedDensity, model });
    const { deviceMs, attentionMs, selectionMs, densities } = await reader.read(cell.prefix, selection);
    const density = densities ? mean(densities) : 1;
    if (configuration.name === 'balanced') balancedDensity = density;
    const outcome: Outcome = {
      configuration: configuration.name,
      attention: selection ? JSON.stringify(selection) : 'dense',
      prefillMs: deviceMs,
      attentionMs,
      selectionMs,
      density,
      ...(densities && { densities: densities.map((share) => Math.round(share * 1e4) / 1e4) }),
      answers: await answersTo(reader, cell, reference, options),
      ...(await likeness(reader, cell, reference, options)),
    };
    outcomes.push(outcome);
    console.log(lineOf(cell, outcome));
  }
  await reader.close();
  const { name, language, prefix } = cell;
  const { layerCount: layers, headCount: heads } = model;
  return { cell: name, language, lengthTokens, prefixTokens: prefix.length, layers, heads, outcomes };
}

async function answersTo(
  reader: PrefixReader,
  { questions }: Cell,
  { forced }: DenseReference,
  { forcesAnswers }: MeasureOptions,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (const [i, { task, depth, rest, expected }] of questions.entries()) {
    if (forcesAnswers) {
      const answer = await reader.forced(rest, expected);
      forced[i] ??= answer;
      answers.push({ task, depth, ...likelihood(answer, forced[i]) });
    } else {
      answers.push({ task, depth, right: await reader.isAnswered(rest, expected) });
    }
  }
  return answers;
}

/** How like dense attention the next tokens are, and a free answer; nothing of dense attention itself. */
async function likeness(
  reader: PrefixReader,
  cell: Cell,
  reference: DenseReference,
  { forcesAnswers, vocabularySize }: MeasureOptions,
): Promise<Pick<Outcome, 'agreement' | 'sameAnswerTokens'>> {
  const { positions } = reference;
  const isDense = positions.length === 0;
  const agreement: Agreement = { positions: 0, sameTop: 0, klSum: 0 };
  await reader.force(cell.continuation, (position, logits) => {
    const dense = positions[position];
    if (dense) compare(dense, logits, agreement);
    else positions.push(densePosition(logits, vocabularySize));
  });
  const answer = forcesAnswers ? [] : await reader.answer(cell.free, FREE_ANSWER_TOKENS);
  if (isDense) {
    reference.free = answer;
    return {};
  }
  if (forcesAnswers) return { agreement };
  const { free } = reference;
  return { agreement, sameAnswerTokens: { same: commonPrefix(answer, free), of: free.length } };
}

/** Finer than right or wrong: sweeps are judged by it. Right: every token of what is expected is the likeliest. */
function likelihood(
  { tokens, positions }: ForcedAnswer,
  dense: ForcedAnswer,
): Omit<Answer, 'task' | 'depth'> {
  const agreement: Agreement = { positions: 0, sameTop: 0, klSum: 0 };
  let [logP, right] = [0, true];
  for (const [i, { logits, top, logSum }] of positions.entries()) {
    const token = tokens[i] ?? -1;
    logP += (logits[token] ?? 0) - logSum;
    right &&= token === top;
    const other = dense.positions[i];
    if (other) compare(other, logits, agreement);
  }
  return { right, logP, kl: agreement.klSum / agreement.positions };
}

function commonPrefix(a: readonly number[], b: readonly number[]): number {
  const end = Math.min(a.length, b.length);
  let length = 0;
  while (length < end && a[length] === b[length]) length++;
  return length;
}

function lineOf({ name, prefix }: Cell, outcome: Outcome): string {
  const { configuration, prefillMs, density, answers, agreement } = outcome;
  const right = answers.filter((answer) => answer.right).length;
  const top = agreement ? `  top-1 ${(agreement.sameTop / agreement.positions).toFixed(3)}` : '';
  const logPs = answers.flatMap(({ logP }) => logP ?? []);
  const klOfAnswers = mean(answers.flatMap(({ kl: ofAnswer }) => ofAnswer ?? []));
  const logP = logPs.length > 0 ? `  log P ${mean(logPs).toFixed(3)} KL ${klOfAnswers.toFixed(4)}` : '';
  const kl = agreement ? `  KL ${(agreement.klSum / agreement.positions).toFixed(4)}` : '';
  return (
    `${name} ${prefix.length}  ${configuration.padEnd(16)} ${prefillMs.toFixed(0).padStart(5)} ms  ` +
    `density ${(density * 100).toFixed(1).padStart(5)}%  ${right}/${answers.length}${top}${kl}${logP}`
  );
}
