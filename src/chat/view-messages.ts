import * as z from 'zod';
import { CHAT_ACTIONS, type ChatViewMessage } from '../../protocol';

/** Far above any question, far below what would slow the editor down. */
const MAX_TEXT = 1_000_000;
const text = z.string().max(MAX_TEXT);
const repoPath = z.string().min(1).max(4096);
const line = z.int().min(1);

const schema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('sync') }),
  z.strictObject({ kind: z.literal('ask'), question: text }),
  z.strictObject({ kind: z.literal('stop') }),
  z.strictObject({ kind: z.literal('newChat') }),
  z.strictObject({ kind: z.literal('attach') }),
  z.strictObject({ kind: z.literal('detach'), index: z.int().min(0) }),
  z.strictObject({ kind: z.literal('act'), id: z.string(), action: z.enum(CHAT_ACTIONS) }),
  z.strictObject({ kind: z.literal('openPlace'), path: repoPath, startLine: line, endLine: line }),
  z.strictObject({ kind: z.literal('openFile'), path: repoPath }),
  z.strictObject({ kind: z.literal('openFolder') }),
  z.strictObject({ kind: z.literal('copy'), text }),
  z.strictObject({ kind: z.literal('insert'), text }),
]) satisfies z.ZodType<ChatViewMessage>;

/** A message of the page, or in words why it is none. */
export function parseViewMessage(message: unknown): { message: ChatViewMessage } | { problem: string } {
  const parsed = schema.safeParse(message);
  return parsed.success ? { message: parsed.data } : { problem: z.prettifyError(parsed.error) };
}
