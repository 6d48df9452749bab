import assert from 'node:assert/strict';
import { classifyExit, type ExitFacts } from '../../../../server/engine-host/exit-reason';
import { RestartPolicy } from '../../../../server/engine-host/restart-policy';

const FACTS: ExitFacts = { code: null, signal: null, stderrTail: '', oomKilled: false, wasReady: true };

suite('classifyExit', () => {
  const cases: [string, Partial<ExitFacts>, string, RegExp][] = [
    ['a kill from outside', { signal: 'SIGKILL' }, 'engineCrashed', /killed from outside/],
    ['the out-of-memory killer', { signal: 'SIGKILL', oomKilled: true }, 'outOfMemory', /ran out of memory/],
    [
      'a full heap',
      { signal: 'SIGABRT', stderrTail: 'FATAL ERROR: JavaScript heap out of memory\n' },
      'outOfMemory',
      /SIGABRT/,
    ],
    [
      'a failed allocation',
      { signal: 'SIGABRT', stderrTail: 'what():  std::bad_alloc\n' },
      'outOfMemory',
      /./,
    ],
    ['a segmentation fault', { signal: 'SIGSEGV' }, 'engineCrashed', /native code \(SIGSEGV\)/],
    ['a missing instruction', { signal: 'SIGILL' }, 'engineCrashed', /this processor does not have/],
    [
      'a missing module',
      { code: 1, wasReady: false, stderrTail: "Error: Cannot find module 'onnxruntime-node'\n  at x\n" },
      'deviceUnavailable',
      /Cannot find module 'onnxruntime-node'$/,
    ],
    [
      'an old C library',
      { code: 1, wasReady: false, stderrTail: "libonnx.so: version `GLIBC_2.38' not found\n" },
      'deviceUnavailable',
      /GLIBC_2.38/,
    ],
    [
      'an exit at start',
      { code: 3, wasReady: false, stderrTail: 'bad luck' },
      'engineCrashed',
      /start.*bad luck/,
    ],
    [
      'a fault on the GPU',
      {
        code: 70,
        stderrTail: 'loading\nThe GPU failed: Error 700 (an illegal memory access was encountered).\n',
      },
      'engineCrashed',
      /^The GPU failed: .*illegal memory access.*\.$/,
    ],
    ['an exit at work', { code: 3 }, 'engineCrashed', /unexpectedly \(exit code 3\)/],
  ];
  for (const [what, facts, code, message] of cases)
    test(`names ${what}`, () => {
      const error = classifyExit({ ...FACTS, ...facts });
      assert.equal(error.code, code);
      assert.match(error.message, message);
      assert.match(error.action, /^[A-Z].*\.$/);
    });
});

suite('classifyExit after a fault on the GPU', () => {
  test('offers the CPU', () => {
    const { action, details } = classifyExit({
      ...FACTS,
      code: 70,
      stderrTail: 'The GPU failed: it broke.\n',
    });
    assert.match(action, /restarts by itself.*"cpu"/);
    assert.equal(details?.['device'], 'cuda');
  });
});

suite('RestartPolicy', () => {
  test('waits longer after each crash and gives up after four', () => {
    let now = 0;
    const policy = new RestartPolicy(() => now);
    const waits = [];
    for (let crash = 0; crash < 4; crash++) {
      waits.push(policy.nextDelayMs());
      policy.recordCrash();
      now += 100;
    }
    assert.deepEqual(waits, [0, 0, 1000, 4000]);
    assert.equal(policy.nextDelayMs(), 'giveUp');
  });

  test('tries again once the crashes lie back far enough', () => {
    let now = 0;
    const policy = new RestartPolicy(() => now);
    for (let crash = 0; crash < 4; crash++) policy.recordCrash();
    now = 3 * 60_000;
    assert.equal(policy.nextDelayMs(), 0);
  });
});
