import fs from 'node:fs';
import path from 'node:path';
import type { BenchRecord, BenchRow } from '../record';
import { type ParetoPoint, paretoPlot } from './plots';

const BENCH = 'quality-peers';
const DENSE = 'fa3';

/** Rows of one length of a record of `bench/quality/peers`, by attention: `peers.<attention>.<figure>.<length>`. */
function attentionsOf(rows: readonly BenchRow[], size: string): Map<string, Map<string, BenchRow>> {
  const attentions = new Map<string, Map<string, BenchRow>>();
  for (const row of rows) {
    const [, attention, figure, length] = row.id.split('.');
    if (attention === undefined || figure === undefined || length !== size) continue;
    attentions.set(attention, (attentions.get(attention) ?? new Map<string, BenchRow>()).set(figure, row));
  }
  return attentions;
}

/** Writes `quality-peers.md` and its plots beside the record that bench/quality/peers/peers_bench.py wrote. */
export function writePeersReport(where: string): void {
  const folder = path.join('bench', 'results', where);
  const record = JSON.parse(fs.readFileSync(path.join(folder, `${BENCH}.json`), 'utf8')) as BenchRecord;
  const sizes = [...new Set(record.rows.map(({ id }) => id.split('.').at(-1) ?? ''))];
  const sections = sizes.flatMap((size) => {
    const attentions = attentionsOf(record.rows, size);
    const denseMs = attentions.get(DENSE)?.get('attention')?.value ?? 0;
    const plot = `${BENCH}-pareto-${size}.svg`;
    const title = `Answers kept at ${size}`;
    fs.writeFileSync(
      path.join(folder, plot),
      paretoPlot(pointsOf(attentions), { title, unit: 'attention of all layers, ms', denseMs }),
    );
    return [`## ${size}`, '', tableOf(attentions), '', `![${title}](${plot})`, ''];
  });
  const text = [
    '# Published sparse prefill beside SampleAttention',
    '',
    `${record.device}, commit ${record.commit}. Written by \`npm run bench -- quality peers-report\`; how it is measured: ` +
      '`bench/quality/peers/peers_bench.py`.',
    '',
    'Attention: device time of all layers of a prefix, selection included, beside dense FlashAttention-3 in the same run. ' +
      'Kept: of the answers that dense attention gets right, the share that is right, with a 95% interval (Wilson).',
    '',
    ...sections,
  ];
  fs.writeFileSync(path.join(folder, `${BENCH}.md`), text.join('\n'));
}

function pointsOf(attentions: ReadonlyMap<string, ReadonlyMap<string, BenchRow>>): ParetoPoint[] {
  return [...attentions]
    .filter(([label]) => label !== DENSE)
    .flatMap(([label, figures]) => {
      const [attention, retrieval] = [figures.get('attention'), figures.get('retrieval')];
      if (!attention || !retrieval) return [];
      const { value, min: low = value, max: high = value } = retrieval;
      return [{ label, ms: attention.value, kept: { value, low, high } }];
    });
}

function tableOf(attentions: ReadonlyMap<string, ReadonlyMap<string, BenchRow>>): string {
  const lines = [...attentions].map(([name, figures]) => {
    const [attention, retrieval] = [figures.get('attention'), figures.get('retrieval')];
    const density = figures.get('density')?.value;
    const [kept, least, most] = [retrieval?.value, retrieval?.min, retrieval?.max].map((share) =>
      (share ?? 0).toFixed(3),
    );
    return [
      name,
      attention?.value.toFixed(1) ?? '',
      attention?.ratio?.toFixed(2) ?? '',
      density === undefined ? '–' : `${(density * 100).toFixed(1)}%`,
      `${kept ?? ''} (${least ?? ''} to ${most ?? ''})`,
      attention?.note?.split('; ').slice(1).join('; ') ?? '',
    ];
  });
  const head = ['', 'attention ms', 'x FA3', 'density', 'kept, 95%', 'settings'];
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [row(head), row(head.map(() => '---')), ...lines.map(row)].join('\n');
}
