import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { machinePressure } from '../../../../server/handlers/machine-pressure';

suite('machinePressure', () => {
  let folder: string;
  setup(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'longview-power-'));
  });
  teardown(() => rmSync(folder, { recursive: true }));

  const none = () => path.join(folder, 'none');
  function supply(name: string, facts: Record<string, string>): void {
    mkdirSync(path.join(folder, name));
    for (const [fact, value] of Object.entries(facts)) {
      writeFileSync(path.join(folder, name, fact), `${value}\n`);
    }
  }

  test('knows nothing where nothing is told', async () => {
    assert.equal(await machinePressure(none(), none()), undefined);
  });

  test('a battery that is drained holds back; one that is charged, or beside mains, does not', async () => {
    supply('BAT0', { type: 'Battery', status: 'Charging' });
    assert.equal(await machinePressure(folder, none()), undefined);
    supply('BAT1', { type: 'Battery', status: 'Discharging' });
    assert.match((await machinePressure(folder, none())) ?? '', /battery/);
    supply('AC', { type: 'Mains', online: '1' });
    assert.equal(await machinePressure(folder, none()), undefined);
  });

  test('other programs that wait for the processor hold back', async () => {
    const file = path.join(folder, 'cpu');
    const tell = (avg10: string) =>
      writeFileSync(file, `some avg10=${avg10} avg60=1.00 avg300=0.50 total=12345\nfull avg10=0.00\n`);
    tell('3.10');
    assert.equal(await machinePressure(none(), file), undefined);
    tell('87.25');
    assert.match((await machinePressure(none(), file)) ?? '', /processor/);
  });
});
