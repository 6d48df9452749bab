import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { MachinePressure, type PressureSources } from '../../../../server/handlers/machine-pressure';

suite('MachinePressure', () => {
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
  const machine = (sources: Partial<PressureSources> = {}) =>
    new MachinePressure({
      platform: 'linux',
      powerSupplies: none(),
      cpuPressure: none(),
      run: () => Promise.resolve(undefined),
      ...sources,
    });
  /** Another system, on which one program prints this. */
  function printing(output: string | undefined, sources: Partial<PressureSources> = {}) {
    const asked: string[] = [];
    const pressure = machine({
      run: (program, args) => {
        asked.push([program, ...args].join(' '));
        return Promise.resolve(output);
      },
      ...sources,
    });
    return { pressure, asked };
  }

  test('knows nothing where nothing is told', async () => {
    for (const platform of ['linux', 'darwin', 'win32', 'freebsd'] as const) {
      assert.equal(await machine({ platform }).againstBeginning('cpu', false), undefined);
      assert.equal(await machine({ platform }).againstBeginning('cuda', false), undefined);
    }
  });

  test('a battery that is drained holds back; one that is charged, or beside mains, does not', async () => {
    supply('BAT0', { type: 'Battery', status: 'Charging' });
    const drained = () => machine({ powerSupplies: folder }).againstGoingOn('cuda');
    assert.equal(await drained(), undefined);
    supply('BAT1', { type: 'Battery', status: 'Discharging' });
    assert.match((await drained()) ?? '', /battery/);
    supply('AC', { type: 'Mains', online: '1' });
    assert.equal(await drained(), undefined);
  });

  test('the battery of a mouse is none of the machine', async () => {
    supply('hidpp_battery_0', { type: 'Battery', status: 'Discharging', scope: 'Device' });
    assert.equal(await machine({ powerSupplies: folder }).againstGoingOn('cpu'), undefined);
  });

  const tellers = [
    ['darwin', "Now drawing from 'Battery Power'\n -InternalBattery-0\t83%; discharging\n", true],
    ['darwin', "Now drawing from 'AC Power'\n -InternalBattery-0\t83%; charging\n", false],
    ['win32', '1\r\n', true],
    ['win32', '2\r\n', false],
    ['win32', '', false],
  ] as const;
  for (const [platform, output, isDrained] of tellers) {
    test(`${platform} that says ${JSON.stringify(output)} ${isDrained ? 'holds back' : 'does not'}`, async () => {
      const reason = await printing(output, { platform }).pressure.againstGoingOn('cpu');
      assert.equal(reason, isDrained ? 'the machine runs on battery' : undefined);
    });
  }

  test('a program that tells about power is not started for every chunk', async () => {
    let nowMs = 0;
    const { pressure, asked } = printing('', { platform: 'darwin', now: () => nowMs });
    for (let chunk = 0; chunk < 10; chunk++) await pressure.againstGoingOn('cpu');
    assert.deepEqual(asked, ['pmset -g batt']);
    nowMs = 5000;
    await pressure.againstGoingOn('cpu');
    assert.equal(asked.length, 2);
  });

  test('other programs that wait for the processor hold back what runs on it, and nothing else', async () => {
    const file = path.join(folder, 'cpu');
    const tell = (avg10: string) =>
      writeFileSync(file, `some avg10=${avg10} avg60=1.00 avg300=0.50 total=12345\nfull avg10=0.00\n`);
    const pressure = machine({ cpuPressure: file });
    tell('3.10');
    assert.equal(await pressure.againstGoingOn('cpu'), undefined);
    tell('87.25');
    assert.match((await pressure.againstGoingOn('cpu')) ?? '', /processor/);
    assert.match((await pressure.againstBeginning('cpu', true)) ?? '', /processor/);
    assert.equal(await pressure.againstBeginning('cuda', true), undefined);
  });

  test('other programs on the GPU hold back what would begin there, and nothing that runs', async () => {
    const { pressure, asked } = printing('0, 97, 2000, 81559\n1, 3, 600, 81559\n');
    assert.equal(await pressure.againstBeginning('cuda', true), 'other programs use the GPU');
    assert.match(asked[0] ?? '', /^nvidia-smi --query-gpu=index,utilization\.gpu,memory/);
    assert.equal(await pressure.againstGoingOn('cuda'), undefined);
    assert.equal(await pressure.againstBeginning('cpu', true), undefined);
    assert.equal(asked.length, 1);
    const second = printing('0, 97, 2000, 81559\n1, 3, 600, 81559\n', { gpu: 1 });
    assert.equal(await second.pressure.againstBeginning('cuda', true), undefined);
  });

  test('a GPU whose memory others hold is left alone, until the model is on it', async () => {
    const { pressure } = printing('0, 4, 60000, 81559\n');
    assert.equal(await pressure.againstBeginning('cuda', false), 'other programs hold the memory of the GPU');
    assert.equal(await pressure.againstBeginning('cuda', true), undefined);
  });

  test('a GPU that does not tell how busy it is holds nothing back', async () => {
    const { pressure } = printing('0, [N/A], [N/A], [N/A]\n');
    assert.equal(await pressure.againstBeginning('cuda', false), undefined);
  });
});
