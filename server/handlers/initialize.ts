import type { InitializeResult } from 'vscode-languageserver/node';
import { type InitializationOptions, PROTOCOL_VERSION } from '../../protocol';
import { validate } from '../connection';
import { LongviewError } from '../errors';
import { initializationOptions } from './schemas';

/** @throws LongviewError `badRequest` for a client that speaks another version, or options that are wrong */
export function checkInitializationOptions(options: unknown): InitializationOptions {
  const checked = validate('initialize', initializationOptions, options);
  if (checked.protocolVersion === PROTOCOL_VERSION) return checked;
  throw new LongviewError(
    'badRequest',
    `The client speaks version ${checked.protocolVersion} of the Longview protocol and this server version ${PROTOCOL_VERSION}.`,
    'Install the same version of Longview on both sides, then reload the window.',
    { client: checked.protocolVersion, server: PROTOCOL_VERSION },
  );
}

/** The server has no language features: everything it does is in custom requests. */
export function initializeResult(serverVersion: string): InitializeResult {
  return { capabilities: {}, serverInfo: { name: 'Longview', version: serverVersion } };
}
