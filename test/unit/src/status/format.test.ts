import assert from 'node:assert/strict';
import type { ChatActivity, EngineState, WarmStatus } from '../../../../protocol';
import { escaped, shortModelName, statusText } from '../../../../src/status/format';
import { exchange, INCLUSION, RECORD } from '../chat/samples';

const running = (activity?: ChatActivity) =>
  statusText({ running: exchange(activity ? { activity } : { answer: 'so far' }) }).text;
const measured = exchange({ phase: 'done', record: RECORD, inclusion: INCLUSION });

suite('status-bar item', () => {
  test('idle: the model’s short name, and Longview before it is known', () => {
    assert.equal(statusText({}).text, '$(zap) Longview');
    assert.equal(
      statusText({ model: 'qwen2.5-coder-0.5b-instruct-q4_k_m' }).text,
      '$(zap) qwen2.5-coder-0.5b',
    );
  });

  const words: [ChatActivity | undefined, string][] = [
    [{ kind: 'prefill', total: 100, cached: 0, processed: 62, etaMs: 3100 }, '62% · 3.1s'],
    [{ kind: 'prefill', total: 0, cached: 0, processed: 0, etaMs: 0 }, '0% · 0.0s'],
    [{ kind: 'prefill', total: 3, cached: 0, processed: 2.999, etaMs: 65_000 }, '99% · 1m 05s'],
    [{ kind: 'queued', ahead: 1 }, 'Queued'],
    [{ kind: 'starting' }, 'Starting'],
    [{ kind: 'stage', stage: 'convert', fraction: 0.4 }, 'Preparing 40%'],
    [{ kind: 'stage', stage: 'load' }, 'Loading'],
    [{ kind: 'download', receivedBytes: 45, totalBytes: 100 }, 'Download 45%'],
    [{ kind: 'verify', fraction: 0.5 }, 'Verifying'],
    [undefined, 'Answering'],
  ];
  for (const [activity, expected] of words) {
    test(`while it runs: ${expected}`, () => {
      assert.equal(running(activity), `$(sync~spin) ${expected}`);
    });
  }

  test('measured: time to first token and prompt tokens, with the whole account in the tooltip', () => {
    const { text, tooltip, spoken } = statusText({ measured });
    assert.equal(text, '$(zap) 1.8s · 3.9k');
    assert.equal(spoken, 'Longview: 1.8s to first token, 3,912 prompt tokens');
    assert.match(tooltip, /\| Prefill of 3,400 tokens \| {3}1\.4s \|/);
    assert.match(tooltip, /38 of 412 files\n\n512 of /);
  });

  test('how warm the repository is stands behind the rest, and why it is not in the tooltip', () => {
    const at = (warm: WarmStatus) => statusText({ measured, engine: { state: 'ready', queued: 0, warm } });
    assert.equal(at({ state: 'computing', fraction: 0.437 }).text, '$(zap) 1.8s · 3.9k · warm 43%');
    assert.equal(at({ state: 'warm', fraction: 1 }).text, '$(zap) 1.8s · 3.9k · warm 100%');
    assert.match(at({ state: 'warm', fraction: 1 }).spoken, /repository 100% computed/);
    const waiting = at({ state: 'waiting', fraction: 0, reason: 'the machine runs on battery' });
    assert.equal(waiting.text, '$(zap) 1.8s · 3.9k');
    assert.match(waiting.tooltip, /waiting: the machine runs on battery/);
    const idle = statusText({ engine: { state: 'ready', queued: 0, warm: { state: 'warm', fraction: 1 } } });
    assert.equal(idle.text, '$(zap) Longview · warm 100%');
  });

  test('a miss of the cache is explained in the tooltip', () => {
    const cacheMiss = 'first changed block: src/a.ts, edited 3 s ago';
    const missed = exchange({ phase: 'done', record: { ...RECORD, cacheSource: 'disk', cacheMiss } });
    const { tooltip } = statusText({ measured: missed });
    assert.ok(
      tooltip.includes(escaped(`512 of 3,912 prompt tokens reused from disk; ${cacheMiss}`)),
      tooltip,
    );
  });

  test('notices are in the tooltip', () => {
    const noticed = exchange({ phase: 'done', record: { ...RECORD, notices: ['Runs on the CPU.'] } });
    assert.match(statusText({ measured: noticed }).tooltip, /Runs on the CPU/);
  });

  test('an engine that fails or restarts shows it; a running question goes first', () => {
    const at = (state: EngineState) =>
      statusText({ measured, engine: { state, queued: 0, message: 'because' } });
    assert.equal(at('failed').text, '$(error) Longview');
    assert.match(at('failed').tooltip, /because/);
    assert.equal(at('restarting').text, '$(sync~spin) Restarting');
    assert.equal(at('loading').text, '$(sync~spin) Loading');
    assert.equal(at('ready').text, '$(zap) 1.8s · 3.9k');
    const both = statusText({ running: exchange(), engine: { state: 'loading', queued: 0 } });
    assert.equal(both.text, '$(sync~spin) Answering');
  });

  test('one icon at most, whatever is shown', () => {
    for (const [activity] of words) assert.equal(running(activity).match(/\$\(/g)?.length, 1);
  });

  test('short names', () => {
    assert.equal(shortModelName('smollm2-135m-instruct-q4_1'), 'smollm2-135m');
    assert.equal(shortModelName('/m/Own Model.gguf'), 'Own Model');
    assert.equal(shortModelName('C:\\m\\own.GGUF'), 'own');
    assert.equal(shortModelName('plain'), 'plain');
  });

  test('text of others cannot be Markdown, a command link or an icon', () => {
    const nasty = '[x](command:evil) <b> $(zap) `a` | b';
    assert.equal(escaped(nasty), '\\[x\\]\\(command:evil\\) \\<b\\> \\$\\(zap\\) \\`a\\` \\| b');
  });
});
