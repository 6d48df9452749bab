import assert from 'node:assert/strict';
import type { AskEvent, ChatConversation } from '../../../../protocol';
import {
  advance,
  afterReload,
  type ConversationEvent,
  EMPTY_CONVERSATION,
  exchangeOf,
  historyBefore,
  LISTED_EXCLUDED_FILES,
  measuredExchange,
  runningExchange,
} from '../../../../src/chat/conversation';
import { exchange, INCLUSION, RECORD, RESULT } from './samples';

const asked: ConversationEvent = { kind: 'asked', id: 'a', question: 'Why?', attachments: [] };
let seq = 0;
const streamed = (
  event: AskEvent extends infer E ? (E extends { seq: number } ? Omit<E, 'seq'> : never) : never,
) => ({ kind: 'streamed', id: 'a', event: { seq: seq++, ...event } }) as const;
const after = (...events: ConversationEvent[]): ChatConversation =>
  events.reduce(advance, EMPTY_CONVERSATION);
const only = (...events: ConversationEvent[]) => exchangeOf(after(asked, ...events), 'a')!;

suite('conversation', () => {
  test('goes from the question through progress and tokens to the answer', () => {
    const prefill = { kind: 'prefill', total: 100, cached: 10, processed: 62, ms: 5, etaMs: 3100 } as const;
    const events = [
      streamed({ kind: 'queued', ahead: 2 }),
      streamed({ kind: 'stage', stage: 'load' }),
      streamed({ kind: 'packed', inclusion: INCLUSION }),
      streamed(prefill),
    ];
    assert.deepEqual(only(events[0]!).activity, { kind: 'queued', ahead: 2 });
    assert.deepEqual(only(...events).activity, {
      kind: 'prefill',
      total: 100,
      cached: 10,
      processed: 62,
      etaMs: 3100,
    });
    const growing = only(
      ...events,
      streamed({ kind: 'token', text: 'In ' }),
      streamed({ kind: 'token', text: '`src' }),
    );
    assert.equal(growing.answer, 'In `src');
    assert.equal(growing.activity, undefined, 'no progress once the answer has begun');
    const done = only(...events, streamed({ kind: 'done', record: RECORD }), {
      kind: 'answered',
      id: 'a',
      result: RESULT,
    });
    assert.equal(done.phase, 'done');
    assert.equal(done.answer, RESULT.answer, 'the result is the answer, whatever was streamed');
    assert.deepEqual(done.record, RECORD);
    assert.deepEqual(done.citations, RESULT.citations);
  });

  test('keeps at most a part of the names of files that were left out, and all counts', () => {
    const { inclusion } = only({ kind: 'answered', id: 'a', result: RESULT });
    assert.equal(inclusion!.excluded.length, LISTED_EXCLUDED_FILES);
    assert.equal(inclusion!.excludedByReason.noRoom, 374);
  });

  test('keeps what had arrived when it is stopped, and takes nothing that comes later', () => {
    const stopped = only(
      streamed({ kind: 'token', text: 'Half' }),
      { kind: 'stopped', id: 'a' },
      streamed({ kind: 'token', text: ' more' }),
      { kind: 'answered', id: 'a', result: RESULT },
    );
    assert.equal(stopped.phase, 'stopped');
    assert.equal(stopped.answer, 'Half');
  });

  test('marks an answer that reached its limit, and one that the server says was cancelled', () => {
    assert.equal(
      only({ kind: 'answered', id: 'a', result: { ...RESULT, stopReason: 'maxTokens' } }).truncated,
      true,
    );
    const cancelled = only({ kind: 'answered', id: 'a', result: { ...RESULT, stopReason: 'cancelled' } });
    assert.equal(cancelled.phase, 'stopped');
  });

  test('starts anew with the same question and attachments', () => {
    const failure = { code: 'internal', message: 'm', action: 'a', buttons: [] } as const;
    const attachment = { kind: 'file', path: 'a.ts' } as const;
    const again = exchangeOf(
      after(
        { ...asked, attachments: [attachment] },
        { kind: 'failed', id: 'a', failure: { ...failure, buttons: [] } },
        { kind: 'restarted', id: 'a' },
      ),
      'a',
    )!;
    assert.deepEqual(again, exchange({ attachments: [attachment] }));
  });

  test('an event of an unknown exchange changes nothing', () => {
    const before = after(asked);
    assert.deepEqual(advance(before, { kind: 'stopped', id: 'z' }), before);
    assert.deepEqual(
      advance(after(asked, { kind: 'cleared' }), { kind: 'stopped', id: 'a' }),
      EMPTY_CONVERSATION,
    );
  });

  test('tells the model of answered questions only, oldest first', () => {
    const conversation = {
      exchanges: [
        exchange({ id: '1', question: 'q1', answer: 'a1', phase: 'done' }),
        exchange({ id: '2', question: 'q2', answer: 'half', phase: 'stopped' }),
        exchange({ id: '3', question: 'q3', answer: 'x', phase: 'failed' }),
        exchange({ id: '4', question: 'q4', answer: '', phase: 'stopped' }),
        exchange({ id: '5', question: 'q5' }),
      ],
    };
    assert.deepEqual(
      historyBefore(conversation, '5').map(({ text }) => text),
      ['q1', 'a1', 'q2', 'half'],
    );
    assert.deepEqual(historyBefore(conversation, '1'), []);
  });

  test('after a reload, what was running is interrupted and keeps its part of the answer', () => {
    const running = after(asked, streamed({ kind: 'token', text: 'Half' }));
    const [interrupted] = afterReload(running).exchanges;
    assert.equal(interrupted!.phase, 'interrupted');
    assert.equal(interrupted!.answer, 'Half');
    assert.equal(runningExchange(afterReload(running)), undefined);
  });

  test('finds the newest measured exchange', () => {
    const conversation = {
      exchanges: [
        exchange({ id: '1', record: RECORD, phase: 'done' }),
        exchange({ id: '2', record: RECORD, phase: 'done' }),
        exchange({ id: '3', phase: 'failed' }),
      ],
    };
    assert.equal(measuredExchange(conversation)?.id, '2');
    assert.equal(measuredExchange(EMPTY_CONVERSATION), undefined);
  });
});
