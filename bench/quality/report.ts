import fs from 'node:fs';
import path from 'node:path';
import { writeRecord } from '../record';
import { peerRows, readDensePeer } from './dense-peer';
import type { CellOutcome } from './measure';
import { TASKS } from './planting';
import { depthPlot, headPlot, type ParetoPoint, paretoPlot } from './plots';
import {
  answersKept,
  denseMsOf,
  densitiesOf,
  densityOf,
  type Group,
  groupsOf,
  keptOf,
  prefillMsOf,
  rowsOf,
  sizeOf,
  topOf,
} from './rows';
import { FACTS_FILE, type RunFacts } from './run';

/** Writes `bench/results/<where>/<bench>.json`, `<bench>.md` and its plots from the cells in `out`. */
export async function writeReport(out: string, where: string, bench: string): Promise<void> {
  const facts = JSON.parse(fs.readFileSync(path.join(out, FACTS_FILE), 'utf8')) as RunFacts;
  const cells = fs
    .readdirSync(out)
    .filter((name) => name.startsWith('cell-reporting-'))
    .map((name) => JSON.parse(fs.readFileSync(path.join(out, name), 'utf8')) as CellOutcome);
  const groups = groupsOf(cells);
  if (groups.length === 0) throw new Error(`there are no cells of the reporting set in ${out}`);
  const peer = readDensePeer(out);
  await writeRecord(where, {
    bench,
    commit: facts.commit,
    date: new Date().toISOString(),
    device: facts.device,
    driver: facts.driver,
    rows: groups.flatMap((group) => [...rowsOf(group), ...(peer ? peerRows(group, peer) : [])]),
  });
  const folder = path.join('bench', 'results', where);
  fs.writeFileSync(path.join(folder, `${bench}.md`), markdown(facts, cells, groups, bench));
  for (const lengthTokens of lengthsOf(groups)) {
    const here = groups.filter((group) => group.lengthTokens === lengthTokens);
    const denseMs = here[0] ? denseMsOf(here[0]) : 0;
    const name = (kind: string) => path.join(folder, `${bench}-${kind}-${sizeOf(lengthTokens)}.svg`);
    const title = `Answers kept at ${sizeOf(lengthTokens)}`;
    fs.writeFileSync(name('pareto'), paretoPlot(here.map(pointOf), { title, unit: 'prefill, ms', denseMs }));
    fs.writeFileSync(name('depth'), depthPlot(here, lengthTokens));
    const balanced = here.find(({ configuration }) => configuration === 'balanced');
    const heads = cells[0]?.heads ?? 1;
    if (balanced) {
      const title = `Keys read by layer and head, balanced, ${sizeOf(lengthTokens)}`;
      fs.writeFileSync(name('heads'), headPlot(densitiesOf(balanced), heads, title));
    }
  }
}

const pointOf = (group: Group): ParetoPoint => ({
  label: `${group.configuration} (${(densityOf(group) * 100).toFixed(1)}%)`,
  ms: prefillMsOf(group),
  kept: keptOf(group),
});

const lengthsOf = (groups: readonly Group[]): number[] => [
  ...new Set(groups.map(({ lengthTokens }) => lengthTokens)),
];

function markdown(
  facts: RunFacts,
  cells: readonly CellOutcome[],
  groups: readonly Group[],
  bench: string,
): string {
  const sections = lengthsOf(groups).flatMap((lengthTokens) => {
    const here = groups.filter((group) => group.lengthTokens === lengthTokens);
    const size = sizeOf(lengthTokens);
    return [
      `## ${size}`,
      '',
      `Dense: ${(here[0] ? denseMsOf(here[0]) : 0).toFixed(0)} ms; right ${denseRight(here[0])}.`,
      '',
      table(here),
      '',
      `![Answers kept against prefill time](${bench}-pareto-${size}.svg)`,
      `![Answers kept by depth](${bench}-depth-${size}.svg)`,
      `![Keys read by layer and head](${bench}-heads-${size}.svg)`,
      '',
      '### By repository',
      '',
      byRepository(here),
      '',
    ];
  });
  return [
    '# Quality of SampleAttention',
    '',
    `${facts.model} on ${facts.device}, commit ${facts.commit}. ${cells.length} prefixes of the reporting set ` +
      '(`bench/quality/sets.json`); how it is measured: `docs/sample-attention.md`. Written by `npm run bench -- quality report`.',
    '',
    'Kept: of the answers that dense gets right, the share that is right, with a 95% interval (Wilson). Density: share of the ' +
      'key blocks that are read. Prefill: device time. Right of all: of all questions, those that dense gets wrong included.',
    '',
    ...sections,
  ].join('\n');
}

function denseRight(group: Group | undefined): string {
  const answers = group?.cells.flatMap(({ dense }) => dense.answers) ?? [];
  return `${answers.filter(({ right }) => right).length} of ${answers.length}`;
}

function table(groups: readonly Group[]): string {
  const head = [
    '',
    'kept',
    '95%',
    'right of all',
    ...TASKS,
    'density',
    'prefill ms',
    'x dense',
    'top-1',
    'KL',
  ];
  const rows = groups.map((group) => {
    const kept = keptOf(group);
    const top = topOf(group);
    return [
      group.configuration,
      `${kept.right}/${kept.of} = ${kept.value.toFixed(3)}`,
      `${kept.low.toFixed(3)}–${kept.high.toFixed(3)}`,
      rightOf(group),
      ...TASKS.map((task) => `${keptOf(group, task).right}/${keptOf(group, task).of}`),
      `${(densityOf(group) * 100).toFixed(1)}%`,
      prefillMsOf(group).toFixed(0),
      (denseMsOf(group) / prefillMsOf(group)).toFixed(2),
      top?.share.value.toFixed(4) ?? '',
      top?.kl.toFixed(4) ?? '',
    ];
  });
  return tableOf(head, rows);
}

function rightOf({ cells }: Group): string {
  const answers = cells.flatMap(({ outcome }) => outcome.answers);
  return `${answers.filter(({ right }) => right).length}/${answers.length}`;
}

function byRepository(groups: readonly Group[]): string {
  const names = groups[0]?.cells.map(({ cell }) => cell) ?? [];
  const rows = names.map((name) => [
    name,
    ...groups.map(({ cells }) => {
      const pair = cells.find(({ cell }) => cell === name);
      if (!pair) return '–';
      const kept = answersKept(pair);
      const right = kept.filter((answer) => answer.right).length;
      return `${right}/${kept.length}, ${(pair.outcome.density * 100).toFixed(1)}%`;
    }),
  ]);
  return tableOf(['', ...groups.map(({ configuration }) => configuration)], rows);
}

function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
