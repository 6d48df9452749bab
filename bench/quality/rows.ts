import type { BenchRow } from '../record';
import type { Answer, CellOutcome, Outcome } from './measure';
import { TASKS } from './planting';
import { mean, type Share, wilson } from './statistics';

/** Everything measured with one configuration at one length. */
export interface Group {
  configuration: string;
  lengthTokens: number;
  /** Of the model. */
  layers: number;
  cells: (Pair & { cell: string; prefixTokens: number })[];
}

/** What a configuration and dense attention came to on one cell. */
interface Pair {
  outcome: Outcome;
  dense: Outcome;
}

/** By length, then in the order in which the configurations ran. */
export function groupsOf(cells: readonly CellOutcome[]): Group[] {
  const groups = new Map<string, Group>();
  for (const { cell, lengthTokens, prefixTokens, layers, outcomes } of cells.toSorted(
    (a, b) => a.lengthTokens - b.lengthTokens,
  )) {
    const dense = outcomes[0];
    for (const outcome of outcomes) {
      if (!dense || outcome === dense) continue;
      const { configuration } = outcome;
      const key = `${lengthTokens}/${configuration}`;
      const group = groups.get(key) ?? { configuration, lengthTokens, layers, cells: [] };
      group.cells.push({ cell, prefixTokens, outcome, dense });
      groups.set(key, group);
    }
  }
  return [...groups.values()];
}

/** Its answers to the questions that dense gets right. */
export const answersKept = ({ outcome, dense }: Pair): Answer[] =>
  outcome.answers.filter((_answer, i) => dense.answers[i]?.right);

/** Answers kept of those that dense gets right. */
export function keptOf({ cells }: Group, task?: string): Share {
  const answers = cells.flatMap(answersKept).filter((answer) => task === undefined || answer.task === task);
  return wilson(answers.filter(({ right }) => right).length, answers.length);
}

/** Positions at which the likeliest next token is dense's; undefined where none was forced. */
export function topOf({ cells }: Group): { share: Share; kl: number } | undefined {
  const agreements = cells.flatMap(({ outcome }) => outcome.agreement ?? []);
  const positions = agreements.reduce((sum, { positions: count }) => sum + count, 0);
  if (positions === 0) return undefined;
  const sameTop = agreements.reduce((sum, agreement) => sum + agreement.sameTop, 0);
  const klSum = agreements.reduce((sum, agreement) => sum + agreement.klSum, 0);
  return { share: wilson(sameTop, positions), kl: klSum / positions };
}

export const densityOf = ({ cells }: Group): number => mean(cells.map(({ outcome }) => outcome.density));
/** Of each head, layer by layer, mean over the cells. */
export function densitiesOf({ cells }: Group): number[] {
  const all = cells.flatMap(({ outcome }) => (outcome.densities ? [outcome.densities] : []));
  return (all[0] ?? []).map((_, i) => mean(all.map((densities) => densities[i] ?? 0)));
}

export const prefillMsOf = ({ cells }: Group): number => mean(cells.map(({ outcome }) => outcome.prefillMs));
export const denseMsOf = ({ cells }: Group): number => mean(cells.map(({ dense }) => dense.prefillMs));

export const sizeOf = (lengthTokens: number): string => `${lengthTokens / 1000}k`;

/** The record's rows of one group. */
export function rowsOf(group: Group): BenchRow[] {
  const { configuration, lengthTokens, cells } = group;
  const id = (what: string) => `quality.${configuration}.${what}.${sizeOf(lengthTokens)}`;
  const kept = keptOf(group);
  const tasks = TASKS.map((task) => {
    const { right, of } = keptOf(group, task);
    return `${task} ${right}/${of}`;
  });
  const asked = cells.reduce((sum, { dense }) => sum + dense.answers.length, 0);
  const rows: BenchRow[] = [
    {
      id: id('retrieval'),
      value: kept.value,
      unit: '',
      min: kept.low,
      median: kept.value,
      max: kept.high,
      note:
        `answers kept of the ${kept.of} that dense gets right of ${asked}; min and max are the 95% interval; ` +
        `${tasks.join(', ')}; ${cells.length} plantings; ${cells[0]?.outcome.attention ?? ''}`,
    },
    { id: id('density'), value: densityOf(group), unit: '', note: 'share of the key blocks that are read' },
    {
      id: id('prefill'),
      value: prefillMsOf(group),
      unit: 'ms',
      peer: 'dense, same engine',
      peerValue: denseMsOf(group),
      ratio: denseMsOf(group) / prefillMsOf(group),
      note: 'mean device time of reading a prefix, all chunks',
    },
    {
      id: id('attention'),
      value: mean(cells.map(({ outcome }) => outcome.attentionMs)),
      unit: 'ms',
      peer: 'dense, same engine',
      peerValue: mean(cells.map(({ dense }) => dense.attentionMs)),
      ratio:
        mean(cells.map(({ dense }) => dense.attentionMs)) /
        mean(cells.map(({ outcome }) => outcome.attentionMs)),
      note: 'choosing key blocks and attention, all layers',
    },
  ];
  rows.push(rightRow(id('right'), group));
  const top = topOf(group);
  if (top) {
    const { share, kl } = top;
    rows.push(
      {
        id: id('top1'),
        value: share.value,
        unit: '',
        min: share.low,
        median: share.value,
        max: share.high,
        note: `${share.of} forced positions behind the prefix; min and max are the 95% interval`,
      },
      { id: id('kl'), value: kl, unit: 'nats', note: `mean KL(dense || this) over ${share.of} positions` },
    );
  }
  const answers = cells.flatMap(({ outcome }) => outcome.sameAnswerTokens ?? []);
  if (answers.length > 0) {
    const shares = answers.map(({ same, of }) => (of === 0 ? 1 : same / of));
    rows.push({
      id: id('greedyPrefix'),
      value: mean(shares),
      unit: '',
      note: `share of the first 64 tokens of a free greedy answer that are dense's, ${answers.length} answers`,
    });
  }
  return rows;
}

/** All questions, beside dense: what is lost at the margin of the model's memory is won there, too, or not. */
function rightRow(id: string, { cells }: Group): BenchRow {
  const pairs = cells.flatMap(({ outcome, dense }) =>
    outcome.answers.map((answer, i) => ({ right: answer.right, dense: dense.answers[i]?.right ?? false })),
  );
  const count = (accept: (pair: (typeof pairs)[number]) => boolean): number => pairs.filter(accept).length;
  const right = wilson(
    count((pair) => pair.right),
    pairs.length,
  );
  const peerValue = count(({ dense }) => dense) / pairs.length;
  return {
    id,
    value: right.value,
    unit: '',
    peer: 'dense, same engine',
    peerValue,
    ratio: right.value / peerValue,
    min: right.low,
    median: right.value,
    max: right.high,
    note:
      `right of ${pairs.length} questions; min and max are the 95% interval; ` +
      `${count((pair) => pair.dense && !pair.right)} that dense alone gets right, ` +
      `${count((pair) => !pair.dense && pair.right)} that dense gets wrong`,
  };
}
