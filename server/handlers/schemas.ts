import { z } from 'zod';
import {
  type AskOptions,
  type AskParams,
  type Attachment,
  type ContextChoices,
  type CountAttachmentsParams,
  type DeviceChoice,
  type DownloadModelParams,
  EXCERPT_SOURCES,
  FINDABLE,
  type FindParams,
  type InitializationOptions,
  type InspectContextParams,
  type ListContextFolderParams,
  type ManifestEntry,
  type ManifestSyncParams,
  type OverlayParams,
  type SamplingOptions,
  type SecretDecision,
  type Turn,
  type WarmPrefixParams,
  type WorkspaceRoot,
} from '../../protocol';

/** Every parameter that a client may send, checked: the types keep these schemas in step with the protocol. */
const count = z.int().min(0);
const line = z.int().min(1);
const partialResultToken = z.union([z.string(), z.number()]).exactOptional();

const sampling: z.ZodType<SamplingOptions> = z.object({
  temperature: z.number().min(0).max(10),
  topP: z.number().gt(0).max(1),
  topK: count,
  seed: count.exactOptional(),
  stop: z.array(z.string()).max(64),
});

const device: z.ZodType<DeviceChoice> = z.enum(['auto', 'cpu', 'cuda']);

export const listModelsParams = z.object({ device });

const askOptions: z.ZodType<AskOptions> = z.object({
  model: z.string().min(1).exactOptional(),
  device,
  attention: z.enum(['auto', 'dense', 'sample']),
  quality: z.enum(['fast', 'balanced']),
  contextTokens: z.int().min(16).exactOptional(),
  maxAnswerTokens: z.int().min(1),
  sampling,
});

const turn: z.ZodType<Turn> = z.object({ role: z.enum(['user', 'assistant']), text: z.string() });

const attachment: z.ZodType<Attachment> = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('file'), path: z.string().min(1) }),
  z.object({ kind: z.literal('folder'), path: z.string().min(1) }),
  z.object({
    kind: z.literal('symbol'),
    path: z.string().min(1),
    name: z.string().min(1),
    startLine: line,
    endLine: line,
  }),
  z.object({
    kind: z.literal('excerpt'),
    source: z.enum(EXCERPT_SOURCES),
    label: z.string(),
    text: z.string(),
  }),
  z.object({
    kind: z.literal('selection'),
    path: z.string().min(1),
    startLine: line,
    endLine: line,
    text: z.string(),
  }),
]);

export const askParams: z.ZodType<AskParams> = z.object({
  partialResultToken,
  question: z.string().trim().min(1, 'the question is empty'),
  history: z.array(turn),
  attachments: z.array(attachment),
  openEditor: z.string().min(1).exactOptional(),
  options: askOptions,
});

export const countAttachmentsParams: z.ZodType<CountAttachmentsParams> = z.object({
  question: z.string(),
  attachments: z.array(attachment),
  openEditor: z.string().min(1).exactOptional(),
  options: askOptions,
});

export const findParams: z.ZodType<FindParams> = z.object({
  kind: z.enum(FINDABLE),
  query: z.string().max(1000),
  limit: z.int().min(1).max(1000),
});

const root: z.ZodType<WorkspaceRoot> = z.object({ name: z.string(), path: z.string().min(1) });
const place = { root: count, path: z.string().min(1) };
const entry: z.ZodType<ManifestEntry> = z.object({ ...place, sizeBytes: count, mtimeMs: z.number() });

export const manifestSyncParams: z.ZodType<ManifestSyncParams> = z.object({
  mode: z.enum(['full', 'delta']),
  revision: count,
  last: z.boolean(),
  roots: z.array(root),
  upserts: z.array(entry),
  removals: z.array(z.object(place)),
});

export const overlayParams: z.ZodType<OverlayParams> = z.object({ ...place, text: z.string().nullable() });

export const warmPrefixParams: z.ZodType<WarmPrefixParams> = z.object({
  enabled: z.boolean(),
  options: askOptions,
  evenWhenBusy: z.boolean().exactOptional(),
});

const secretDecision: z.ZodType<SecretDecision> = z.object({
  path: z.string().min(1),
  rules: z.array(z.string()),
});

export const contextChoices: z.ZodType<ContextChoices> = z.object({
  pinned: z.array(z.string().min(1)),
  excluded: z.array(z.string().min(1)),
  allowedSecrets: z.array(secretDecision),
  allowAllSecrets: z.boolean().exactOptional(),
});

export const inspectContextParams: z.ZodType<InspectContextParams> = z.object({
  history: z.array(turn),
  attachments: z.array(attachment),
  openEditor: z.string().min(1).exactOptional(),
  options: askOptions,
});

export const listContextFolderParams: z.ZodType<ListContextFolderParams> = z.object({
  id: count,
  folder: z.string(),
});

export const promptTextParams: z.ZodType<{ id: number }> = z.object({ id: count });

export const downloadModelParams: z.ZodType<DownloadModelParams> = z.object({
  partialResultToken,
  id: z.string().min(1),
  allowThirdParty: z.boolean(),
});

export const importModelParams: z.ZodType<{ path: string }> = z.object({ path: z.string().min(1) });

export const noParams: z.ZodType<Record<string, never>> = z.strictObject({});

export const initializationOptions: z.ZodType<InitializationOptions> = z.object({
  protocolVersion: z.int(),
  cacheDir: z.string().min(1),
  cpuThreads: count,
  prefixCacheBytes: count.exactOptional(),
  gpu: count.exactOptional(),
  prefillPrecision: z.enum(['bf16', 'fp8']).exactOptional(),
  idleUnloadMinutes: z.number().min(0).exactOptional(),
});
