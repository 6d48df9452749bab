import type {
  AskEvent,
  AskResult,
  Attachment,
  ChatActivity,
  ChatConversation,
  ChatExchange,
  ChatFailure,
  ComparedAnswer,
  InclusionReport,
  Turn,
} from '../../protocol';

/** Left-out files that are kept by name; the counts by reason stay complete. */
export const LISTED_EXCLUDED_FILES = 200;

/** Everything that can happen to a conversation. */
export type ConversationEvent =
  | {
      kind: 'asked';
      id: string;
      question: string;
      attachments: Attachment[];
      baseline?: ComparedAnswer;
    }
  /** A finished exchange starts again: its answer and failure are dropped. */
  | { kind: 'restarted'; id: string }
  | { kind: 'progressed'; id: string; activity: ChatActivity }
  | { kind: 'streamed'; id: string; event: AskEvent }
  | { kind: 'answered'; id: string; result: AskResult }
  | { kind: 'stopped'; id: string }
  | { kind: 'failed'; id: string; failure: ChatFailure }
  | { kind: 'cleared' };

export const EMPTY_CONVERSATION: ChatConversation = { exchanges: [] };

/** The conversation after `event`. Pure; events for an exchange that is not running change nothing. */
export function advance(conversation: ChatConversation, event: ConversationEvent): ChatConversation {
  switch (event.kind) {
    case 'cleared':
      return EMPTY_CONVERSATION;
    case 'asked':
      return { exchanges: [...conversation.exchanges, started(event)] };
    case 'restarted':
      return replace(conversation, event.id, started);
    default:
      return replace(conversation, event.id, (old) => (old.phase === 'running' ? step(old, event) : old));
  }
}

type RunningEvent = Exclude<ConversationEvent, { kind: 'cleared' | 'asked' | 'restarted' }>;

function step(exchange: ChatExchange, event: RunningEvent): ChatExchange {
  switch (event.kind) {
    case 'progressed':
      return { ...exchange, activity: event.activity };
    case 'streamed':
      return streamed(exchange, event.event);
    case 'answered':
      return answered(exchange, event.result);
    case 'stopped':
      return settled(exchange, 'stopped');
    case 'failed':
      return { ...settled(exchange, 'failed'), failure: event.failure };
  }
}

function streamed(exchange: ChatExchange, event: AskEvent): ChatExchange {
  switch (event.kind) {
    case 'token':
      return { ...withoutActivity(exchange), answer: exchange.answer + event.text };
    case 'packed':
      return { ...exchange, inclusion: shortened(event.inclusion) };
    case 'done':
      return { ...exchange, record: event.record };
    default:
      return { ...exchange, activity: activityOf(event) };
  }
}

function activityOf(event: Extract<AskEvent, { kind: 'queued' | 'stage' | 'prefill' }>): ChatActivity {
  switch (event.kind) {
    case 'queued':
      return { kind: 'queued', ahead: event.ahead };
    case 'stage':
      return {
        kind: 'stage',
        stage: event.stage,
        ...(event.fraction !== undefined && { fraction: event.fraction }),
        ...(event.detail !== undefined && { detail: event.detail }),
      };
    case 'prefill': {
      const { total, cached, processed, etaMs } = event;
      return { kind: 'prefill', total, cached, processed, etaMs };
    }
  }
}

function answered(exchange: ChatExchange, result: AskResult): ChatExchange {
  return {
    ...settled(exchange, result.stopReason === 'cancelled' ? 'stopped' : 'done'),
    answer: result.answer,
    citations: result.citations,
    symbols: result.symbols,
    inclusion: shortened(result.inclusion),
    record: result.record,
    ...(result.stopReason === 'maxTokens' && { truncated: true }),
  };
}

type Asked = Pick<ChatExchange, 'id' | 'question' | 'attachments' | 'baseline'>;

function started({ id, question, attachments, baseline }: Asked): ChatExchange {
  return {
    id,
    question,
    attachments,
    answer: '',
    phase: 'running',
    citations: [],
    ...(baseline && { baseline }),
  };
}

function settled(exchange: ChatExchange, phase: ChatExchange['phase']): ChatExchange {
  return { ...withoutActivity(exchange), phase };
}

function withoutActivity(exchange: ChatExchange): ChatExchange {
  const rest = { ...exchange };
  delete rest.activity;
  return rest;
}

/** The report with at most `LISTED_EXCLUDED_FILES` names of left-out files. */
function shortened(inclusion: InclusionReport): InclusionReport {
  return {
    ...inclusion,
    excluded: inclusion.excluded.slice(0, LISTED_EXCLUDED_FILES),
    pinsWithoutRoom: inclusion.pinsWithoutRoom.slice(0, LISTED_EXCLUDED_FILES),
  };
}

function replace(
  conversation: ChatConversation,
  id: string,
  change: (exchange: ChatExchange) => ChatExchange,
): ChatConversation {
  return { exchanges: conversation.exchanges.map((each) => (each.id === id ? change(each) : each)) };
}

export function exchangeOf(conversation: ChatConversation, id: string): ChatExchange | undefined {
  return conversation.exchanges.find((each) => each.id === id);
}

/** The answer of exchange `id` where it can be compared: it is whole, and was read with sample attention. */
export function comparable(conversation: ChatConversation, id: string): ComparedAnswer | undefined {
  const { phase, answer, record } = exchangeOf(conversation, id) ?? {};
  if (phase !== 'done' || answer === undefined || record?.attention !== 'sample') return undefined;
  return { id, answer, record };
}

/**
 * What the model is told of the conversation before exchange `id`: pairs that have an answer, oldest first. A comparison is
 * told what the answer was told that it is compared with, and is itself no part of the conversation.
 */
export function historyBefore(conversation: ChatConversation, id: string): Turn[] {
  const start = exchangeOf(conversation, id)?.baseline?.id ?? id;
  const end = conversation.exchanges.findIndex((each) => each.id === start);
  return turnsOf(conversation.exchanges.slice(0, end));
}

/** The turns that the next question would follow. */
export function historyNow(conversation: ChatConversation): Turn[] {
  return turnsOf(conversation.exchanges);
}

function turnsOf(exchanges: readonly ChatExchange[]): Turn[] {
  return exchanges
    .filter(
      ({ phase, answer, baseline }) =>
        !baseline && phase !== 'failed' && phase !== 'running' && answer !== '',
    )
    .flatMap(({ question, answer }): Turn[] => [
      { role: 'user', text: question },
      { role: 'assistant', text: answer },
    ]);
}

/** A stored conversation as it is shown after a reload: what was running then was interrupted. */
export function afterReload(conversation: ChatConversation): ChatConversation {
  return {
    exchanges: conversation.exchanges.map((each) =>
      each.phase === 'running' ? settled(each, 'interrupted') : each,
    ),
  };
}

/** The newest exchange whose time to first token was measured. */
export function measuredExchange(conversation: ChatConversation): ChatExchange | undefined {
  return conversation.exchanges.findLast(({ record }) => record !== undefined);
}

export function runningExchange(conversation: ChatConversation): ChatExchange | undefined {
  return conversation.exchanges.find(({ phase }) => phase === 'running');
}

/** The newest exchange whose answer can be compared with dense attention's. */
export function comparableExchange(conversation: ChatConversation): ChatExchange | undefined {
  return conversation.exchanges.findLast(({ id }) => comparable(conversation, id) !== undefined);
}
