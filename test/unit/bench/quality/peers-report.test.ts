import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { writePeersReport } from '../../../../bench/quality/peers-report';

const row = (id: string, value: number, more = {}) => ({ id, value, unit: 'ms', ...more });

suite('bench/quality peers report', () => {
  let folder: string;
  let before: string;
  setup(() => {
    before = process.cwd();
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'longview-peers-'));
    process.chdir(folder);
    fs.mkdirSync('bench/results/here', { recursive: true });
  });
  teardown(() => {
    process.chdir(before);
    fs.rmSync(folder, { recursive: true });
  });

  test('a table and a plot for each length, each attention in its own row', () => {
    const rows = [
      row('peers.fa3.attention.32k', 133),
      row('peers.fa3.retrieval.32k', 1),
      row('peers.fast.attention.32k', 66.5, { ratio: 2, note: 'all layers; {"alpha":0.7}' }),
      row('peers.fast.density.32k', 0.25),
      row('peers.fast.retrieval.32k', 0.9, { min: 0.8, max: 0.95 }),
      row('peers.fa3.attention.128k', 2000),
    ];
    const record = { bench: 'quality-peers', commit: 'abc', date: '', device: 'GPU', driver: '', rows };
    fs.writeFileSync('bench/results/here/quality-peers.json', JSON.stringify(record));
    writePeersReport('here');
    const text = fs.readFileSync('bench/results/here/quality-peers.md', 'utf8');
    assert.match(
      text,
      /\| fast \| 66\.5 \| 2\.00 \| 25\.0% \| 0\.900 \(0\.800 to 0\.950\) \| \{"alpha":0\.7\} \|/,
    );
    assert.match(text, /## 128k\n\n.*\n.*\n\| fa3 \| 2000\.0/);
    const plot = fs.readFileSync('bench/results/here/quality-peers-pareto-32k.svg', 'utf8');
    assert.ok(plot.includes('>fast<') && !plot.includes('>fa3<'), 'dense is a line, not a point');
  });
});
