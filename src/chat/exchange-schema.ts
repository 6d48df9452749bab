import * as z from 'zod/mini';
import type {
  Attachment,
  ChatActivity,
  ChatExchange,
  ChatFailure,
  Citation,
  InclusionReport,
  SymbolLink,
  TtftRecord,
} from '../../protocol';
import { CHAT_ACTIONS, ERROR_CODES, EXCERPT_SOURCES } from '../../protocol';

// Shapes of what is stored between two versions of the extension. Each `satisfies` ties one to its protocol type.

const exclusionReason = z.enum([
  'secret',
  'excludedByHand',
  'noRoom',
  'binary',
  'lockFile',
  'generated',
  'minified',
  'tooLarge',
  'notUtf8',
  'unreadable',
  'empty',
]);

const attachment = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('file'), path: z.string() }),
  z.object({ kind: z.literal('folder'), path: z.string() }),
  z.object({
    kind: z.literal('symbol'),
    path: z.string(),
    name: z.string(),
    startLine: z.int(),
    endLine: z.int(),
  }),
  z.object({
    kind: z.literal('excerpt'),
    source: z.enum(EXCERPT_SOURCES),
    label: z.string(),
    text: z.string(),
  }),
  z.object({
    kind: z.literal('selection'),
    path: z.string(),
    startLine: z.int(),
    endLine: z.int(),
    text: z.string(),
  }),
]) satisfies z.ZodMiniType<Attachment>;

const citation = z.object({
  path: z.string(),
  startLine: z.int(),
  endLine: z.int(),
  verified: z.boolean(),
  origin: z.enum(['written', 'quote', 'symbol']),
  claim: z.string(),
}) satisfies z.ZodMiniType<Citation>;

const secrets = z.exactOptional(z.array(z.object({ rule: z.string(), line: z.number() })));

const symbolLink = z.object({
  name: z.string(),
  places: z.array(z.object({ path: z.string(), line: z.int(), symbol: z.string() })),
}) satisfies z.ZodMiniType<SymbolLink>;

const inclusion = z.object({
  totalFiles: z.number(),
  included: z.array(
    z.object({
      path: z.string(),
      tokens: z.number(),
      reason: z.enum(['all', 'pinned', 'base', 'ranked', 'attached']),
      detail: z.exactOptional(z.enum(['signatures', 'path'])),
      secrets,
    }),
  ),
  excluded: z.array(z.object({ path: z.string(), reason: exclusionReason, secrets })),
  // Absent in what an older version stored.
  excerpts: z._default(
    z.array(z.object({ source: z.enum(EXCERPT_SOURCES), label: z.string(), tokens: z.number() })),
    [],
  ),
  excludedByReason: z.partialRecord(exclusionReason, z.number()),
  fileTokens: z.number(),
  budgetTokens: z.number(),
  promptTokens: z.number(),
  // Absent in what an older version stored.
  newerVersions: z._default(z.array(z.string()), []),
  pinsWithoutRoom: z._default(z.array(z.string()), []),
  historyTokens: z._default(z.number(), 0),
  droppedTurns: z.number(),
  shortenedTurns: z._default(z.number(), 0),
}) satisfies z.ZodMiniType<InclusionReport>;

const record = z.object({
  ttftMs: z.number(),
  stagesMs: z.object({
    queue: z.number(),
    load: z.number(),
    context: z.number(),
    tokenize: z.number(),
    prefill: z.number(),
    firstToken: z.number(),
  }),
  prefillKernelsMs: z.exactOptional(z.object({ attention: z.number(), other: z.number() })),
  promptTokens: z.number(),
  cachedTokens: z.number(),
  // Absent in what an older version stored.
  cacheSource: z._default(z.enum(['device', 'memory', 'disk', 'none']), 'none'),
  cacheMiss: z.exactOptional(z.string()),
  answerTokens: z.number(),
  decodeTokensPerSecond: z.number(),
  prefillTokensPerSecond: z.number(),
  contextTokens: z.number(),
  model: z.string(),
  backend: z.enum(['onnx', 'cuda']),
  device: z.string(),
  attention: z.enum(['dense', 'sample']),
  sparse: z.exactOptional(
    z.object({ strategy: z.string(), quality: z.enum(['fast', 'balanced']), density: z.number() }),
  ),
  prefillPrecision: z.exactOptional(z.enum(['bf16', 'fp8'])),
  notices: z.array(z.string()),
}) satisfies z.ZodMiniType<TtftRecord>;

const failure = z.object({
  code: z.enum(ERROR_CODES),
  message: z.string(),
  action: z.string(),
  buttons: z.array(z.enum(CHAT_ACTIONS)),
  modelId: z.exactOptional(z.string()),
  contextTokens: z.exactOptional(z.number()),
  secrets: z.exactOptional(z.object({ path: z.string(), rules: z.array(z.string()) })),
}) satisfies z.ZodMiniType<ChatFailure>;

const activity = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('starting') }),
  z.object({ kind: z.literal('queued'), ahead: z.number() }),
  z.object({
    kind: z.literal('stage'),
    stage: z.enum(['convert', 'load', 'pack']),
    fraction: z.exactOptional(z.number()),
    detail: z.exactOptional(z.string()),
  }),
  z.object({
    kind: z.literal('prefill'),
    total: z.number(),
    cached: z.number(),
    processed: z.number(),
    etaMs: z.number(),
  }),
  z.object({ kind: z.literal('source'), name: z.string(), thirdParty: z.boolean() }),
  z.object({ kind: z.literal('download'), receivedBytes: z.number(), totalBytes: z.number() }),
  z.object({ kind: z.literal('verify'), fraction: z.number() }),
]) satisfies z.ZodMiniType<ChatActivity>;

export const exchangeSchema = z.object({
  id: z.string(),
  question: z.string(),
  attachments: z.array(attachment),
  answer: z.string(),
  phase: z.enum(['running', 'done', 'stopped', 'interrupted', 'failed']),
  activity: z.exactOptional(activity),
  citations: z.array(citation),
  symbols: z.exactOptional(z.array(symbolLink)),
  inclusion: z.exactOptional(inclusion),
  record: z.exactOptional(record),
  failure: z.exactOptional(failure),
  truncated: z.exactOptional(z.boolean()),
  baseline: z.exactOptional(z.object({ id: z.string(), answer: z.string(), record })),
}) satisfies z.ZodMiniType<ChatExchange>;
