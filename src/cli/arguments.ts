import path from 'node:path';
import { parseArgs } from 'node:util';
import type { AskOptions, AttentionChoice, DeviceChoice, PrefillPrecision, Quality } from '../../protocol';
import { askOptionsOf, readSettings } from '../config';
import type { AttachedPath } from './attached-paths';
import { UsageError } from './exit-codes';

export interface AskCommand {
  kind: 'ask';
  /** Absolute. */
  repo: string;
  question: string;
  options: AskOptions;
  /** Files and folders that go with the question. */
  attach: AttachedPath[];
  /** Twice: with sample attention, then with dense. */
  compare: boolean;
  /** Files that look as if they held a secret are sent, too. */
  allowSecrets: boolean;
  /** As the driver counts; absent: the first that can be used. */
  gpu?: number;
  /** Absent: as the settings say. */
  prefillPrecision?: PrefillPrecision;
  json: boolean;
  verbose: boolean;
}

export type ModelsCommand =
  | { kind: 'models'; action: 'list'; verbose: boolean }
  | { kind: 'models'; action: 'download'; id: string; verbose: boolean }
  /** `path` is absolute. */
  | { kind: 'models'; action: 'import'; path: string; verbose: boolean };

export interface CacheCommand {
  kind: 'cache';
  action: 'purge';
  verbose: boolean;
}

export type Command = { kind: 'help' } | { kind: 'version' } | AskCommand | ModelsCommand | CacheCommand;

const OPTIONS = {
  repo: { type: 'string' },
  attach: { type: 'string', multiple: true },
  model: { type: 'string' },
  attention: { type: 'string' },
  quality: { type: 'string' },
  device: { type: 'string' },
  gpu: { type: 'string' },
  precision: { type: 'string' },
  context: { type: 'string' },
  'max-tokens': { type: 'string' },
  compare: { type: 'boolean' },
  'allow-secrets': { type: 'boolean' },
  json: { type: 'boolean' },
  verbose: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean' },
} as const;

const DEVICES: readonly DeviceChoice[] = ['auto', 'cpu', 'cuda'];
const ATTENTIONS: readonly AttentionChoice[] = ['auto', 'dense', 'sample'];
const QUALITIES: readonly Quality[] = ['fast', 'balanced'];
const PRECISIONS: readonly PrefillPrecision[] = ['bf16', 'fp8'];

/**
 * What the user wants. Relative paths are taken from `cwd`.
 * @throws UsageError with what is wrong
 */
export function parseCommand(argv: readonly string[], cwd: string): Command {
  const { values, positionals } = parse(argv);
  if (values.help) return { kind: 'help' };
  if (values.version) return { kind: 'version' };
  const [name, ...rest] = positionals;
  switch (name) {
    case undefined:
      return { kind: 'help' };
    case 'ask':
      return askCommand(values, rest, cwd);
    case 'models':
      return modelsCommand(rest, cwd, values.verbose ?? false);
    case 'cache':
      return cacheCommand(rest, values.verbose ?? false);
    default:
      throw new UsageError(`There is no command "${name}"; the commands are ask, models and cache.`);
  }
}

type Values = ReturnType<typeof parse>['values'];

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function askCommand(values: Values, words: string[], cwd: string): AskCommand {
  const question = words.join(' ').trim();
  if (question === '') throw new UsageError('There is no question: longview ask "What does this do?"');
  if (values.compare && values.attention !== undefined)
    throw new UsageError('--compare asks with both kinds of attention; leave --attention out.');
  // The defaults of the extension's settings hold here too.
  const options = askOptionsOf(readSettings({ get: () => undefined }).settings);
  return {
    kind: 'ask',
    repo: path.resolve(cwd, values.repo ?? '.'),
    question,
    options: {
      ...options,
      ...(values.model !== undefined && { model: modelArgument(values.model, cwd) }),
      ...(values.device !== undefined && { device: oneOf('--device', values.device, DEVICES) }),
      ...(values.attention !== undefined && {
        attention: oneOf('--attention', values.attention, ATTENTIONS),
      }),
      ...(values.quality !== undefined && { quality: oneOf('--quality', values.quality, QUALITIES) }),
      ...(values.context !== undefined && { contextTokens: tokenCount('--context', values.context) }),
      ...(values['max-tokens'] !== undefined && {
        maxAnswerTokens: tokenCount('--max-tokens', values['max-tokens']),
      }),
    },
    attach: (values.attach ?? []).map((written) => ({ written, absolute: path.resolve(cwd, written) })),
    compare: values.compare ?? false,
    allowSecrets: values['allow-secrets'] ?? false,
    ...(values.gpu !== undefined && { gpu: gpuNumber(values.gpu) }),
    ...(values.precision !== undefined && {
      prefillPrecision: oneOf('--precision', values.precision, PRECISIONS),
    }),
    json: values.json ?? false,
    verbose: values.verbose ?? false,
  };
}

function modelsCommand([action = 'list', ...rest]: string[], cwd: string, verbose: boolean): ModelsCommand {
  const [argument, extra] = rest;
  if (extra !== undefined) throw new UsageError(`"${extra}" is one argument too many.`);
  switch (action) {
    case 'list':
      return { kind: 'models', action, verbose };
    case 'download':
      if (!argument) throw new UsageError('Which model? longview models download ID');
      return { kind: 'models', action, id: argument, verbose };
    case 'import':
      if (!argument) throw new UsageError('Which file? longview models import PATH');
      return { kind: 'models', action, path: path.resolve(cwd, argument), verbose };
    default:
      throw new UsageError(`"models ${action}" does not exist; there are list, download and import.`);
  }
}

function cacheCommand([action, extra]: string[], verbose: boolean): CacheCommand {
  if (action !== 'purge') throw new UsageError('What about the cache? longview cache purge');
  if (extra !== undefined) throw new UsageError(`"${extra}" is one argument too many.`);
  return { kind: 'cache', action, verbose };
}

/** An id stays as it is; what looks like a file becomes an absolute path. */
function modelArgument(value: string, cwd: string): string {
  return /[/\\]|\.(gguf|safetensors)$/i.test(value) ? path.resolve(cwd, value) : value;
}

function oneOf<Choice extends string>(flag: string, value: string, choices: readonly Choice[]): Choice {
  const choice = choices.find((candidate) => candidate === value);
  if (choice === undefined)
    throw new UsageError(`${flag} must be one of ${choices.join(', ')}, not "${value}".`);
  return choice;
}

function gpuNumber(value: string): number {
  if (!/^\d{1,2}$/.test(value))
    throw new UsageError(`--gpu must be the number of a GPU, counted from 0, not "${value}".`);
  return Number(value);
}

function tokenCount(flag: string, value: string): number {
  const count = Number(value.replaceAll('_', ''));
  if (!Number.isInteger(count) || count < 1)
    throw new UsageError(`${flag} must be a whole number of tokens, not "${value}".`);
  return count;
}
