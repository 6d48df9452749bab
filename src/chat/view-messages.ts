import * as z from 'zod/mini';
import { CHAT_ACTIONS, type ChatViewMessage, MENTIONS, type MentionChoice } from '../../protocol';

/** Far above any question, far below what would slow the editor down. */
const MAX_TEXT = 1_000_000;
const text = z.string().check(z.maxLength(MAX_TEXT));
const repoPath = z.string().check(z.minLength(1), z.maxLength(4096));
const line = z.int().check(z.gte(1));

const name = z.string().check(z.minLength(1), z.maxLength(1000));
/** A drop or a choice of more is a mistake. */
const MOST_ITEMS = 1000;

const choice = z.union([
  z.strictObject({ kind: z.enum(['file', 'folder']), path: repoPath }),
  z.strictObject({ kind: z.literal('symbol'), path: repoPath, name, startLine: line, endLine: line }),
  z.strictObject({ kind: z.literal('selection') }),
  z.strictObject({ kind: z.literal('problems'), scope: z.enum(['file', 'all']) }),
  z.strictObject({ kind: z.literal('terminal'), id: name }),
  z.strictObject({ kind: z.literal('git'), repository: repoPath, what: z.enum(['changes', 'staged']) }),
  z.strictObject({
    kind: z.literal('git'),
    repository: repoPath,
    what: z.literal('commit'),
    hash: z.string().check(z.regex(/^[0-9a-f]{4,64}$/)),
  }),
]) satisfies z.ZodMiniType<MentionChoice>;

const schema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('sync') }),
  z.strictObject({ kind: z.literal('ask'), question: text }),
  z.strictObject({ kind: z.literal('stop') }),
  z.strictObject({ kind: z.literal('newChat') }),
  z.strictObject({ kind: z.literal('attach') }),
  z.strictObject({ kind: z.literal('detach'), index: z.int().check(z.gte(0)) }),
  z.strictObject({
    kind: z.literal('complete'),
    request: z.int(),
    mention: z.enum([...MENTIONS, 'any']),
    query: z.string().check(z.maxLength(1000)),
  }),
  z.strictObject({ kind: z.literal('mention'), choice }),
  z.strictObject({
    kind: z.literal('drop'),
    uris: z.array(z.string().check(z.maxLength(4096))).check(z.maxLength(MOST_ITEMS)),
  }),
  z.strictObject({ kind: z.literal('pasted'), text }),
  z.strictObject({
    kind: z.literal('openSymbol'),
    places: z
      .array(z.strictObject({ path: repoPath, line, symbol: name }))
      .check(z.minLength(1), z.maxLength(MOST_ITEMS)),
  }),
  z.strictObject({ kind: z.literal('act'), id: z.string(), action: z.enum(CHAT_ACTIONS) }),
  z.strictObject({ kind: z.literal('openPlace'), path: repoPath, startLine: line, endLine: line }),
  z.strictObject({ kind: z.literal('openFile'), path: repoPath }),
  z.strictObject({ kind: z.literal('openFolder') }),
  z.strictObject({ kind: z.literal('copy'), text }),
  z.strictObject({ kind: z.literal('insert'), text }),
]) satisfies z.ZodMiniType<ChatViewMessage>;

/** A message of the page, or in words why it is none. */
export function parseViewMessage(message: unknown): { message: ChatViewMessage } | { problem: string } {
  const parsed = schema.safeParse(message);
  return parsed.success ? { message: parsed.data } : { problem: z.prettifyError(parsed.error) };
}
