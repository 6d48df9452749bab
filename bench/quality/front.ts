import fs from 'node:fs';
import type { CellOutcome, Outcome } from './measure';
import { mean, type Share, wilson } from './statistics';

/** A configuration at one length, over all cells. */
export interface Point {
  configuration: string;
  lengthTokens: number;
  /** Answers kept of those that dense gets right. */
  kept: Share;
  /** Of the expected answers: by how much they are less likely than under dense attention, mean in nats. */
  lossNats: number;
  density: number;
  /** Mean over the cells, in ms. */
  prefillMs: number;
  /** Nothing else at this length keeps as much in less time. */
  isOnFront: boolean;
}

/** One point for each length and configuration. */
export function pointsOf(cells: readonly CellOutcome[]): Point[] {
  const groups = new Map<string, { lengthTokens: number; outcomes: Outcome[]; denseLogPs: number[] }>();
  for (const { lengthTokens, outcomes } of cells) {
    const rightLogPs = (outcomes[0]?.answers ?? []).flatMap(({ right, logP }) => (right ? (logP ?? []) : []));
    for (const outcome of outcomes) {
      if (outcome.configuration === 'dense') continue;
      const key = `${lengthTokens} ${outcome.configuration}`;
      const group = groups.get(key) ?? { lengthTokens, outcomes: [], denseLogPs: [] };
      group.denseLogPs.push(...rightLogPs);
      group.outcomes.push(outcome);
      groups.set(key, group);
    }
  }
  const points = [...groups.values()].map(({ lengthTokens, outcomes, denseLogPs }): Point => {
    const answers = outcomes.flatMap((outcome) => outcome.answers);
    return {
      configuration: outcomes[0]?.configuration ?? '',
      lengthTokens,
      kept: wilson(answers.filter(({ right }) => right).length, answers.length),
      lossNats: mean(denseLogPs) - mean(answers.flatMap(({ logP }) => logP ?? [])),
      density: mean(outcomes.map(({ density }) => density)),
      prefillMs: mean(outcomes.map(({ prefillMs }) => prefillMs)),
      isOnFront: false,
    };
  });
  for (const point of points) point.isOnFront = !points.some((other) => beats(other, point));
  return points;
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
      const { kept, lossNats, density, prefillMs } = point;
      console.log(
        `${point.isOnFront ? '*' : ' '} ${point.configuration.padEnd(20)} ${prefillMs.toFixed(0).padStart(5)} ms  ` +
          `${(denseMs / prefillMs).toFixed(2)}x  density ${(density * 100).toFixed(1).padStart(5)}%  ` +
          `kept ${kept.right}/${kept.of} = ${kept.value.toFixed(3)} [${kept.low.toFixed(3)}, ${kept.high.toFixed(3)}]  loss ${lossNats.toFixed(3)}`,
      );
    }
  }
}
