import assert from 'node:assert/strict';
import {
  bytesText,
  countedText,
  durationText,
  engineText,
  filesText,
  leftOutText,
  percentText,
  secondsText,
  shortCountText,
  stageRows,
} from '../../../protocol';
import { INCLUSION, RECORD } from '../src/chat/samples';

suite('figures in words', () => {
  const cases: [string, string][] = [
    ...(
      [
        [0, '0'],
        [999, '999'],
        [1000, '1.0k'],
        [3912, '3.9k'],
        [9949, '9.9k'],
        [9950, '10k'],
        [118_400, '118k'],
        [999_499, '999k'],
        [999_500, '1.0M'],
        [12_300_000, '12M'],
      ] as const
    ).map(([count, text]): [string, string] => [shortCountText(count), text]),
    [secondsText(0), '0.0s'],
    [secondsText(1812), '1.8s'],
    [secondsText(9949), '9.9s'],
    [secondsText(9950), '10s'],
    [secondsText(59_499), '59s'],
    [secondsText(59_500), '1m 00s'],
    [secondsText(125_000), '2m 05s'],
    [durationText(12.4), '12ms'],
    [durationText(99.5), '0.1s'],
    [percentText(0.999), '99%'],
    [percentText(1.2), '100%'],
    [percentText(-1), '0%'],
    [bytesText(397_807_936), '398 MB'],
    [bytesText(1_117_000_000), '1.1 GB'],
    [countedText(1, 'file'), '1 file'],
    [countedText(3912, 'file'), '3,912 files'],
    [filesText(INCLUSION), '38 of 412 files'],
    [
      filesText({
        ...INCLUSION,
        included: [
          { path: 'a.ts', tokens: 9, reason: 'base' },
          { path: 'b.ts', tokens: 5, reason: 'base', detail: 'signatures' },
          { path: 'c.ts', tokens: 2, reason: 'ranked', detail: 'path' },
        ],
      }),
      '1 of 412 files whole, 1 by signatures, 1 by path',
    ],
    [
      leftOutText({ ...INCLUSION, excludedByReason: { binary: 74, noRoom: 300, empty: 0 } }),
      '374 left out: 300 no room, 74 binary',
    ],
    [leftOutText({ ...INCLUSION, excludedByReason: { noRoom: 24, binary: 0 } }), '24 left out: no room'],
    [leftOutText({ ...INCLUSION, excludedByReason: {} }), ''],
  ];
  for (const [text, expected] of cases) {
    test(expected || 'nothing', () => assert.equal(text, expected));
  }

  test('the engine is told with what is not as usual', () => {
    const onGpu = { ...RECORD, device: 'NVIDIA H200', backend: 'cuda' } as const;
    assert.equal(engineText(onGpu), 'NVIDIA H200, cuda, dense attention');
    assert.equal(engineText({ ...onGpu, prefillPrecision: 'bf16' }), 'NVIDIA H200, cuda, dense attention');
    assert.equal(
      engineText({ ...onGpu, prefillPrecision: 'fp8' }),
      'NVIDIA H200, cuda, dense attention, fp8',
    );
  });

  test('the stages are those of the record, and add up to the time to first token', () => {
    const rows = stageRows(RECORD);
    assert.equal(
      rows.reduce((sum, { ms }) => sum + ms, 0),
      RECORD.ttftMs,
    );
    assert.ok(rows.some(({ name }) => name === 'Prefill of 3,400 tokens'));
    const told = stageRows({ ...RECORD, prefillKernelsMs: { attention: 1200, other: 200 } });
    assert.ok(told.some(({ name }) => name === 'Prefill of 3,400 tokens (attention 1.2s)'));
  });
});
