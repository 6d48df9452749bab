/** Every failure that Longview can name. The code is stable; the message is for people. */
export const ERROR_CODES = [
  // models
  'modelUnknown',
  'modelMissing',
  'modelCorrupt',
  'modelUnsupported',
  'modelSourceUnreachable',
  'thirdPartyConsentRequired',
  'downloadBusy',
  'diskFull',
  // workspace and prompt
  'noWorkspace',
  'emptyRepository',
  'promptTooLong',
  'secretFound',
  'badRequest',
  // engine
  'deviceUnavailable',
  'attentionUnavailable',
  'contextTooLarge',
  'outOfMemory',
  'engineCrashed',
  'engineFailed',
  // any other
  'internal',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

/** `data` of a JSON-RPC error response: what happened and what the user can do about it. */
export interface ErrorData {
  code: ErrorCode;
  /** One sentence in the imperative: the next step that helps. */
  action: string;
  /** Facts for programs, such as the model id or the sizes involved. */
  details?: Record<string, string | number | boolean | string[]>;
}

/** JSON-RPC error number for every Longview error; `data` tells them apart. */
export const LONGVIEW_ERROR = -32050;
