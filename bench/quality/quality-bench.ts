// How much of dense attention's answers SampleAttention keeps, on real repositories.
//   npm run bench -- quality fetch  [--corpus DIR] [--rounds N]
//   npm run bench -- quality run    --model GGUF --addon FILE [--set reporting|tuning] [--lengths 16,32,64,128]
//                                   [--rounds N] [--baselines] [--out DIR] [--limit SECONDS]
//   npm run bench -- quality sweep  --model GGUF --addon FILE --grid NAME [--lengths 32,128] [--rounds N] [--only REPOSITORY]
//                                   [--part 1/2] [--few] [--out DIR] [--limit SECONDS]
//   npm run bench -- quality break-even --model GGUF --addon FILE [--where h200]
//   npm run bench -- quality report [--out DIR] [--where h200] [--as quality]
//   npm run bench -- quality peers-report [--where h200]
//   npm run bench -- quality densities [--out DIR] [--kind cell|sweep]
//   npm run bench -- quality prompts --model GGUF [--set reporting|tuning] [--lengths 32,128] [--out DIR]
// The bundle alone runs where there is a GPU and no checkout: `fetch`, `report`, `densities` (of every head) and `prompts`
// (with their questions, for other programs) work anywhere. What was measured is
// kept in --out cell by cell, so that a run that was cut off goes on.
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { measureBreakEven } from './break-even';
import { BASELINES, CLASSES } from './configurations';
import { dumpDensities } from './densities';
import { fetchCorpus } from './fetch';
import { printFront } from './front';
import { GRIDS } from './grids';
import { writePeersReport } from './peers-report';
import { ALL_QUESTIONS } from './planting';
import { publishPrompts } from './published-prompts';
import { writeReport } from './report';
import { type CellPlan, runCells } from './run';
import { plantingsOf, SET_NAMES, type SetName } from './sets';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    corpus: { type: 'string', default: 'out/bench/quality-corpus' },
    out: { type: 'string', default: 'out/bench/quality' },
    model: { type: 'string', default: '' },
    addon: { type: 'string', default: 'build/cuda/longview-cuda.node' },
    set: { type: 'string', default: 'reporting' },
    lengths: { type: 'string', default: '' },
    rounds: { type: 'string', default: '1' },
    limit: { type: 'string', default: '600' },
    where: { type: 'string', default: 'h200' },
    as: { type: 'string', default: 'quality' },
    kind: { type: 'string', default: 'cell' },
    grid: { type: 'string', default: '' },
    only: { type: 'string', default: '' },
    part: { type: 'string', default: '1/1' },
    few: { type: 'boolean', default: false },
    baselines: { type: 'boolean', default: false },
  },
});

/** Questions that a tuning run asks of a cell; few where it tries hundreds of configurations, or the cell is short. */
const SWEEP_QUESTIONS = { needle: 24, multiKey: 2, tracking: 4, function: 4 };
const FEW_QUESTIONS = { needle: 12, multiKey: 1, tracking: 2, function: 2 };

async function main(command: string | undefined): Promise<void> {
  const rounds = Number(values.rounds);
  switch (command) {
    case 'fetch':
      fetchCorpus(values.corpus, rounds);
      return;
    case 'run': {
      const set = setNamed(values.set);
      const configurations = [...CLASSES, ...(values.baselines ? BASELINES : [])];
      await runCells(
        options(set, () => configurations, '16,32,64,128', false),
        plantingsOf(set, rounds),
        values.few ? FEW_QUESTIONS : ALL_QUESTIONS,
      );
      return;
    }
    case 'sweep': {
      const grid = GRIDS[values.grid];
      if (!grid) throw new Error(`--grid is one of ${Object.keys(GRIDS).join(', ')}`);
      const [part = 1, parts = 1] = values.part.split('/').map(Number);
      const plantings = plantingsOf('tuning', rounds).filter(
        ({ repository }) => !values.only || repository.id === values.only,
      );
      const outcomes = await runCells(
        {
          ...options(
            'tuning',
            (model) => grid(model).filter((_one, i) => i % parts === part - 1),
            '32,128',
            true,
          ),
          kind: parts > 1 ? `${values.grid}-${part}` : values.grid,
        },
        plantings,
        values.few ? FEW_QUESTIONS : SWEEP_QUESTIONS,
      );
      printFront(outcomes, path.join(values.out, `front-${values.grid}-${part}.json`));
      return;
    }
    case 'break-even': {
      const { corpus, where } = values;
      await measureBreakEven({ corpus, where, ...files() });
      return;
    }
    case 'report':
      return writeReport(values.out, values.where, values.as);
    case 'peers-report':
      writePeersReport(values.where);
      return;
    case 'densities':
      dumpDensities(values.out, values.kind);
      return;
    case 'prompts': {
      const { corpus, out } = values;
      const { modelPath } = model();
      await publishPrompts(
        { corpus, out, modelPath, lengths: lengthsIn(values.lengths || '32,128') },
        plantingsOf(setNamed(values.set), rounds),
        values.few ? FEW_QUESTIONS : ALL_QUESTIONS,
      );
      return;
    }
    default:
      throw new Error(
        'usage: npm run bench -- quality fetch|run|sweep|break-even|report|peers-report|densities|prompts [OPTIONS]',
      );
  }
}

function options(
  set: SetName,
  configurations: CellPlan['configurations'],
  lengths: string,
  forcesAnswers: boolean,
): CellPlan {
  return {
    set,
    configurations,
    forcesAnswers,
    kind: 'cell',
    lengths: lengthsIn(values.lengths || lengths),
    corpus: values.corpus,
    out: values.out,
    ...files(),
    limitMs: Number(values.limit) * 1000,
  };
}

function lengthsIn(thousands: string): number[] {
  return thousands.split(',').map((length) => Number(length) * 1000);
}

function model(): { modelPath: string } {
  if (!fs.existsSync(values.model)) throw new Error('name the model with --model GGUF');
  return { modelPath: path.resolve(values.model) };
}

function files(): { modelPath: string; addonFile: string } {
  return { ...model(), addonFile: path.resolve(values.addon) };
}

function setNamed(name: string): SetName {
  const set = SET_NAMES.find((candidate) => candidate === name);
  if (!set) throw new Error(`there is no set "${name}"; there are ${SET_NAMES.join(' and ')}`);
  return set;
}

main(positionals[0]).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
