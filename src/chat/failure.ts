import * as z from 'zod/mini';
import {
  type ChatAction,
  type ChatFailure,
  ERROR_CODES,
  type ErrorCode,
  LEAST_CONTEXT_TOKENS,
} from '../../protocol';

/** The buttons that help with each failure, the most useful one first. */
const BUTTONS: Record<ErrorCode, ChatAction[]> = {
  modelUnknown: ['openSettings'],
  modelMissing: ['downloadModel'],
  modelCorrupt: ['downloadModel', 'showLog'],
  modelUnsupported: ['openSettings'],
  modelSourceUnreachable: ['downloadModel', 'showLog'],
  thirdPartyConsentRequired: ['allowThirdParty'],
  downloadBusy: ['retry'],
  diskFull: ['retry'],
  noWorkspace: ['openFolder'],
  emptyRepository: ['retry'],
  promptTooLong: ['openSettings', 'retry'],
  secretFound: ['allowSecrets', 'retry'],
  badRequest: ['retry', 'showLog'],
  deviceUnavailable: ['openSettings', 'showLog'],
  attentionUnavailable: ['openSettings'],
  contextTooLarge: ['openSettings'],
  outOfMemory: ['retry', 'openSettings'],
  engineCrashed: ['retry', 'showLog'],
  engineFailed: ['retry', 'restartEngine', 'showLog'],
  internal: ['retry', 'restartEngine', 'showLog'],
};

const named = z.object({
  message: z.optional(z.string()),
  data: z.object({
    code: z.enum(ERROR_CODES),
    action: z.string(),
    details: z.optional(z.record(z.string(), z.unknown())),
  }),
});

/** What was thrown by a call to the server, as the view shows it. */
export function failureOf(error: unknown): ChatFailure {
  const parsed = named.safeParse(error);
  if (!parsed.success) return unnamed(error);
  const { message, data } = parsed.data;
  const { id: modelId, fittingTokens, path, rules } = data.details ?? {};
  return {
    code: data.code,
    message: message ?? data.code,
    action: data.action,
    buttons: buttonsFor(data.code, data.details ?? {}),
    ...(typeof modelId === 'string' && { modelId }),
    ...(isContext(fittingTokens) && { contextTokens: fittingTokens }),
    ...(typeof path === 'string' && isRules(rules) && { secrets: { path, rules } }),
  };
}

function buttonsFor(code: ErrorCode, details: Record<string, unknown>): ChatAction[] {
  // A model file of the user's own cannot be downloaded; its path can be mended.
  if (code === 'modelMissing' && details['id'] === undefined) return ['openSettings', 'retry'];
  if (code === 'outOfMemory' && isContext(details['fittingTokens']))
    return ['useSmallerContext', 'useCpu', 'openSettings'];
  if (code === 'outOfMemory' && details['device'] !== undefined) return ['retry', 'useCpu', 'openSettings'];
  if (code === 'engineCrashed' && details['device'] === 'cuda') return ['retry', 'useCpu', 'showLog'];
  // Named by the GPU's backend alone.
  if (code === 'engineFailed' && details['device'] !== undefined) return ['retry', 'useCpu', 'showLog'];
  return BUTTONS[code];
}

/** A length that the setting of the context takes. */
function isContext(tokens: unknown): tokens is number {
  return typeof tokens === 'number' && tokens >= LEAST_CONTEXT_TOKENS;
}

function isRules(rules: unknown): rules is string[] {
  return Array.isArray(rules) && rules.every((rule) => typeof rule === 'string');
}

function unnamed(error: unknown): ChatFailure {
  return {
    code: 'internal',
    message: error instanceof Error ? error.message : String(error),
    action: 'Try again, or open the log to see what happened.',
    buttons: BUTTONS.internal,
  };
}
