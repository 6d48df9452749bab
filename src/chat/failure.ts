import * as z from 'zod/mini';
import { type ChatAction, type ChatFailure, ERROR_CODES, type ErrorCode } from '../../protocol';

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
  const modelId = data.details?.['id'];
  // A model file of the user's own cannot be downloaded; its path can be mended.
  const isOwnFile = data.code === 'modelMissing' && modelId === undefined;
  return {
    code: data.code,
    message: message ?? data.code,
    action: data.action,
    buttons: isOwnFile ? ['openSettings', 'retry'] : BUTTONS[data.code],
    ...(typeof modelId === 'string' && { modelId }),
  };
}

function unnamed(error: unknown): ChatFailure {
  return {
    code: 'internal',
    message: error instanceof Error ? error.message : String(error),
    action: 'Try again, or open the log to see what happened.',
    buttons: BUTTONS.internal,
  };
}
