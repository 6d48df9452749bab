import type { Turn } from '../../protocol';
import type { EncodedMessage } from './chat-frame';
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
    const turns = exchange.map((turn): EncodedTurn => ({ turn, ids: encode(turn.text) }));
    if (add(turns.map(({ turn, ids }) => message(turn.role, [ids])))) continue;
    const frameTokens = cost([...exchange.map(({ role }) => message(role, [])), ...kept.messages]);
    const short = shortened(turns, roomTokens - frameTokens, encode);
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

/** A turn as it would be sent whole. */
interface EncodedTurn {
  turn: Turn;
  ids: Int32Array;
}

/** The messages cut to `roomTokens` in all, the shortest left whole as far as possible; undefined without room. */
function shortened(
  turns: readonly EncodedTurn[],
  roomTokens: number,
  encode: HistoryInput['encode'],
): { messages: EncodedMessage[]; count: number } | undefined {
  if (roomTokens < LEAST_SHORTENED_TOKENS) return undefined;
  const byLength = [...turns].sort((a, b) => a.ids.length - b.ids.length);
  const cut = new Map<EncodedTurn, Int32Array[]>();
  let left = roomTokens;
  for (const [index, each] of byLength.entries()) {
    const share = Math.floor(left / (byLength.length - index));
    const pieces = withinTokens(each, share, encode);
    if (pieces.length > 1) cut.set(each, pieces);
    left -= pieces.reduce((sum, { length }) => sum + length, 0);
  }
  const messages = turns.map((each) => message(each.turn.role, cut.get(each) ?? [each.ids]));
  return { messages, count: cut.size };
}

/** The beginning and the end of a turn around a mark, `most` tokens in all, each encoded by itself. */
function withinTokens(
  { turn, ids }: EncodedTurn,
  most: number,
  encode: HistoryInput['encode'],
): Int32Array[] {
  if (ids.length <= most) return [ids];
  const mark = encode(SHORTENED_MARK);
  const kept = Math.max(0, most - mark.length);
  const head = Math.ceil(kept / 2);
  const { text } = turn;
  return [
    longestWithin(text.length, head, (length) => encode(text.slice(0, beforePair(text, length)))),
    mark,
    longestWithin(text.length, kept - head, (length) =>
      encode(text.slice(beforePair(text, text.length - length))),
    ),
  ];
}

/** Of pieces of up to `mostChars`, the tokens of the longest one that takes at most `most`. */
function longestWithin(mostChars: number, most: number, piece: (chars: number) => Int32Array): Int32Array {
  let [fits, tooLong] = [0, mostChars + 1];
  let best: Int32Array = new Int32Array();
  while (tooLong - fits > 1) {
    const chars = Math.floor((fits + tooLong) / 2);
    const ids = piece(chars);
    if (ids.length > most) tooLong = chars;
    else {
      fits = chars;
      best = ids;
    }
  }
  return best;
}

/** `at`, or one less where it would part the two halves of a character. */
function beforePair(text: string, at: number): number {
  const code = text.charCodeAt(at);
  return code >= 0xdc00 && code <= 0xdfff ? at - 1 : at;
}

function message(role: EncodedMessage['role'], pieces: readonly Int32Array[]): EncodedMessage {
  const said = pieces.filter(({ length }) => length > 0);
  return { role, parts: said.map((ids) => ({ label: { kind: 'history' }, ids })) };
}
