import { LongviewError } from '../errors';

/** The file is damaged or not what it claims to be: `what` completes "The model file … is damaged: …". */
export function modelCorrupt(path: string, what: string, options?: ErrorOptions): LongviewError {
  return new LongviewError(
    'modelCorrupt',
    `The model file ${path} is damaged: ${what}.`,
    'Download the model again or import another copy of the file.',
    { path },
    options,
  );
}

/** The file is sound, but Longview cannot run it: `what` completes "Longview cannot run …: …". */
export function modelUnsupported(path: string, what: string, action: string): LongviewError {
  return new LongviewError(
    'modelUnsupported',
    `Longview cannot run the model file ${path}: ${what}.`,
    action,
    {
      path,
    },
  );
}
