import fs from 'node:fs';
import path from 'node:path';
import { driverVersion } from '../driver';
import { commitUnderTest } from '../record';
import { buildCell } from './cell';
import type { CellFacts, Configuration } from './configurations';
import { contextFor, trainedTokensOf } from './contexts';
import { type Device, openDevice } from './device';
import { readCorpus } from './fetch';
import { type CellOutcome, measureCell } from './measure';
import type { QuestionCounts } from './planting';
import type { Planting, SetName } from './sets';

export interface CellPlan {
  set: SetName;
  configurations: (model: CellFacts['model']) => Configuration[];
  /** Whether answers are forced: see `MeasureOptions`. */
  forcesAnswers: boolean;
  /** In tokens. */
  lengths: number[];
  /** Names the files of the cells. */
  kind: string;
  corpus: string;
  out: string;
  modelPath: string;
  addonFile: string;
  /** No cell is begun after it. */
  limitMs: number;
}

/** What one run of cells was measured on: kept beside them for the report. */
export interface RunFacts {
  device: string;
  driver: string;
  model: string;
  commit: string;
}

/** Measures every cell that is not measured yet, length by length. Returns all that are there then. */
export async function runCells(
  plan: CellPlan,
  plantings: readonly Planting[],
  counts: QuestionCounts,
): Promise<CellOutcome[]> {
  const startedMs = performance.now();
  fs.mkdirSync(plan.out, { recursive: true });
  const outcomes: CellOutcome[] = [];
  const trainedTokens = await trainedTokensOf(plan.modelPath);
  let device: (Device & { contextTokens: number }) | undefined;
  for (const lengthTokens of plan.lengths) {
    const contextTokens = contextFor(lengthTokens, trainedTokens);
    for (const planting of plantings) {
      const file = path.join(plan.out, fileName(plan, planting, lengthTokens));
      if (fs.existsSync(file)) {
        outcomes.push(JSON.parse(fs.readFileSync(file, 'utf8')) as CellOutcome);
        continue;
      }
      const elapsedMs = performance.now() - startedMs;
      if (elapsedMs > plan.limitMs) {
        console.log(`${file}: left for the next run`);
        continue;
      }
      if (device?.contextTokens !== contextTokens) {
        await device?.backend.dispose();
        device = { ...(await openDevice({ ...plan, contextTokens })), contextTokens };
        writeFacts(plan, device.name);
        console.log(`${device.name}, context ${contextTokens}, loaded at ${seconds(startedMs)} s`);
      }
      const cell = buildCell(
        device.writer,
        readCorpus(plan.corpus, planting),
        planting,
        lengthTokens,
        counts,
      );
      const outcome = await measureCell(device.reader, cell, plan.configurations(device.model), {
        lengthTokens,
        model: device.model,
        forcesAnswers: plan.forcesAnswers,
        vocabularySize: device.writer.tokenizer.firstUnusedToken,
      });
      fs.writeFileSync(file, JSON.stringify(outcome));
      outcomes.push(outcome);
      console.log(`${cell.name}, ${lengthTokens} tokens, done at ${seconds(startedMs)} s`);
    }
  }
  await device?.backend.dispose();
  return outcomes;
}

export const FACTS_FILE = 'facts.json';

function writeFacts({ out, modelPath }: CellPlan, device: string): void {
  const facts: RunFacts = {
    device,
    driver: driverVersion(),
    model: path.basename(modelPath),
    commit: commitUnderTest(),
  };
  fs.writeFileSync(path.join(out, FACTS_FILE), JSON.stringify(facts));
}

function fileName({ set, kind }: CellPlan, { repository, seed }: Planting, lengthTokens: number): string {
  return `${kind}-${set}-${lengthTokens / 1000}k-${repository.id}-${seed}.json`;
}

function seconds(startedMs: number): string {
  return ((performance.now() - startedMs) / 1000).toFixed(1);
}
