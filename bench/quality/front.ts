import fs from 'node:fs';
import type { CellOutcome, Outcome } from './measure';
import { mean, type Share, wilson } from './statistics';

/** A configuration at one length, over all cells. */
export interface Point {
  configuration: string;
  lengthTokens: number;
  /** Answers kept of those that dense gets right. */
  kept: Share;
  /** By how much the answers that dense gets right are less likely than with it, mean in nats. */
  lossNats: number;
  /** KL(dense || this) at the answers' tokens, mean over all questions. */
  kl: number;
  density: number;
  /** Mean over the cells, in ms. */
  prefillMs: number;
  /** Nothing else at this length keeps as much in less time. */
  isOnFront: boolean;
}

/** One point for each length and configuration. */
export function pointsOf(cells: readonly CellOutcome[]): Point[] {
  const groups = new Map<string, Pair[]>();
  for (const { lengthTokens, outcomes } of cells) {
    const [dense, ...others] = outcomes;
    for (const outcome of others) {
      const key = `${lengthTokens} ${outcome.configuration}`;
      if (dense) groups.set(key, [...(groups.get(key) ?? []), { lengthTokens, outcome, dense }]);
    }
  }
  const points = [...groups.values()].map(pointOf);
  for (const point of points) point.isOnFront = !points.some((other) => beats(other, point));
  return points;
}

/** What a configuration and dense attention came to on one cell; both answer the same questions. */
interface Pair {
  lengthTokens: number;
  outcome: Outcome;
  dense: Outcome;
}

function pointOf(pairs: readonly Pair[]): Point {
  const answers = pairs.flatMap(({ outcome, dense }) =>
    outcome.answers.map((answer, i) => ({ answer, dense: dense.answers[i] })),
  );
  const kept = answers.filter(({ dense }) => dense?.right);
  return {
    configuration: pairs[0]?.outcome.configuration ?? '',
    lengthTokens: pairs[0]?.lengthTokens ?? 0,
    kept: wilson(kept.filter(({ answer }) => answer.right).length, kept.length),
    lossNats: mean(kept.map(({ answer, dense }) => (dense?.logP ?? 0) - (answer.logP ?? 0))),
    kl: mean(answers.map(({ answer }) => answer.kl ?? 0)),
    density: mean(pairs.map(({ outcome }) => outcome.density)),
    prefillMs: mean(pairs.map(({ outcome }) => outcome.prefillMs)),
    isOnFront: false,
  };
}

function beats(a: Point, b: Point): boolean {
  if (a.lengthTokens !== b.lengthTokens || a === b) return false;
  const [isFaster, isBetter] = [a.prefillMs < b.prefillMs, a.kept.value > b.kept.value];
  return (isFaster && a.kept.value >= b.kept.value) || (isBetter && a.prefillMs <= b.prefillMs);
}

/** Prints the table that a choice of defaults is made from, and keeps it. */
export function printFront(cells: readonly CellOutcome[], file: string): void {
  const points = pointsOf(cells);
  fs.writeFileSync(file, JSON.stringify(points, null, 2));
  for (const lengthTokens of new Set(points.map((point) => point.lengthTokens))) {
    const dense = cells
      .filter((cell) => cell.lengthTokens === lengthTokens)
      .map(({ outcomes }) => outcomes[0]);
    const denseMs = mean(dense.map((outcome) => outcome?.prefillMs ?? 0));
    console.log(`\n${lengthTokens} tokens; dense prefill ${denseMs.toFixed(0)} ms`);
    const here = points.filter((point) => point.lengthTokens === lengthTokens);
    for (const point of here.sort((a, b) => a.prefillMs - b.prefillMs)) {
      const { kept, lossNats, kl, density, prefillMs } = point;
      console.log(
        `${point.isOnFront ? '*' : ' '} ${point.configuration.padEnd(20)} ${prefillMs.toFixed(0).padStart(5)} ms  ` +
          `${(denseMs / prefillMs).toFixed(2)}x  density ${(density * 100).toFixed(1).padStart(5)}%  ` +
          `kept ${kept.right}/${kept.of} = ${kept.value.toFixed(3)} [${kept.low.toFixed(3)}, ${kept.high.toFixed(3)}]  loss ${lossNats.toFixed(3)}  KL ${kl.toFixed(4)}`,
      );
    }
  }
}
