import type { Turn } from '../../protocol';
import type { EncodedMessage } from './chat-frame';
import { idsOf, joinTokens } from './parts';
import { SHORTENED_MARK } from './prompt-text';

/** What is kept of earlier turns. */
export interface KeptHistory {
  messages: EncodedMessage[];
  /** With the template's text around them. */
  tokens: number;
  droppedTurns: number;
  shortenedTurns: number;
}

const NO_HISTORY: KeptHistory = { messages: [], tokens: 0, droppedTurns: 0, shortenedTurns: 0 };

/** With fewer tokens left, half a question and half an answer say nothing. */
const LEAST_SHORTENED_TOKENS = 64;

interface HistoryInput {
  /** Oldest first. */
  history: readonly Turn[];
  encode: (text: string) => Int32Array;
  /** Tokens that these messages add to a prompt. */
  cost: (messages: readonly EncodedMessage[]) => number;
}

/**
 * The newest turns that fit into `roomTokens`, each a question with its answer. The oldest one that still has some
 * room is shortened in its middle; what is older is dropped. All by tokens.
 */
export function historyWithin({ history, encode, cost }: HistoryInput, roomTokens: number): KeptHistory {
  const exchanges = exchangesOf(history);
  const kept: KeptHistory = { ...NO_HISTORY };
  const add = (messages: EncodedMessage[]): boolean => {
    const all = [...messages, ...kept.messages];
    const tokens = cost(all);
    if (tokens > roomTokens) return false;
    Object.assign(kept, { messages: all, tokens });
    return true;
  };
  for (const exchange of exchanges.reverse()) {
    const whole = exchange.map(({ role, text }) => message(role, encode(text)));
    if (add(whole)) continue;
    const frameTokens = cost([...whole.map(({ role }) => message(role, new Int32Array())), ...kept.messages]);
    const short = shortened(whole, roomTokens - frameTokens, encode(SHORTENED_MARK));
    if (short && add(short.messages)) kept.shortenedTurns = short.count;
    break;
  }
  kept.droppedTurns = history.length - kept.messages.length;
  return kept;
}

/** Turns from each question up to the next one. Answers before the first question belong to none. */
function exchangesOf(history: readonly Turn[]): Turn[][] {
  const exchanges: Turn[][] = [];
  for (const turn of history) {
    if (turn.role === 'user') exchanges.push([turn]);
    else exchanges.at(-1)?.push(turn);
  }
  return exchanges;
}

/** The messages cut to `roomTokens` in all, the shortest left whole as far as possible; undefined without room. */
function shortened(messages: readonly EncodedMessage[], roomTokens: number, mark: Int32Array) {
  if (roomTokens < LEAST_SHORTENED_TOKENS) return undefined;
  const byLength = [...messages].sort((a, b) => idsOf(a.parts).length - idsOf(b.parts).length);
  const cut = new Map<EncodedMessage, EncodedMessage>();
  let left = roomTokens;
  for (const [index, each] of byLength.entries()) {
    const share = Math.floor(left / (byLength.length - index));
    const ids = withinTokens(idsOf(each.parts), share, mark);
    if (ids.length < idsOf(each.parts).length) cut.set(each, message(each.role, ids));
    left -= ids.length;
  }
  return { messages: messages.map((each) => cut.get(each) ?? each), count: cut.size };
}

/** The beginning and the end of `ids` around a mark, `most` tokens in all. */
function withinTokens(ids: Int32Array, most: number, mark: Int32Array): Int32Array {
  if (ids.length <= most) return ids;
  const kept = Math.max(0, most - mark.length);
  const head = Math.ceil(kept / 2);
  return joinTokens([ids.subarray(0, head), mark, ids.subarray(ids.length - (kept - head))]);
}

function message(role: EncodedMessage['role'], ids: Int32Array): EncodedMessage {
  return { role, parts: ids.length > 0 ? [{ label: { kind: 'history' }, ids }] : [] };
}
