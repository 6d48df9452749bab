import os from 'node:os';
import path from 'node:path';
import type * as vscode from 'vscode';
import * as z from 'zod/mini';
import {
  type AskOptions,
  type InitializationOptions,
  LEAST_CONTEXT_TOKENS,
  PROTOCOL_VERSION,
  type PrefillPrecision,
  type WarmPrefixParams,
} from '../protocol';

/** Where one setting comes from: `vscode.WorkspaceConfiguration`, or a test. */
export interface SettingsSource {
  get(key: string): unknown;
}

/** Every `longview.*` setting, checked. */
export interface Settings {
  /** Catalogue id or absolute path of a GGUF file or a folder of safetensors; absent: the default of the device. */
  model?: string;
  device: 'auto' | 'cpu' | 'cuda';
  attention: 'auto' | 'dense' | 'sample';
  quality: 'fast' | 'balanced';
  /** Prompt and answer together; 0: the model's default on the device. */
  contextTokens: number;
  maxAnswerTokens: number;
  temperature: number;
  topP: number;
  topK: number;
  /** Absent: a fresh one for each answer. */
  seed?: number;
  /** Globs in `.gitignore` syntax of files that are never read. */
  exclude: string[];
  /** 0: as many as there are cores. */
  cpuThreads: number;
  /** As the driver counts; absent: the first that can be used. */
  gpu?: number;
  prefillPrecision: PrefillPrecision;
  /** 0: the model is never let go. */
  idleUnloadMinutes: number;
  /** Absolute; absent: the cache folder of the user. */
  cacheDir?: string;
  /** What computed prompts may take on disk, in GB; 0: nothing is written. */
  prefixCacheGb: number;
  /** When the repository is computed before anybody asks. */
  warmPrefix: 'whenIdle' | 'always' | 'off';
  statusBarVisible: boolean;
}

/** A setting that could not be used: what is wrong with it and what is used instead. */
export interface SettingProblem {
  key: string;
  message: string;
}

interface Entry {
  schema: z.ZodMiniType;
  /** Says what is allowed, to follow "must be". */
  expected: string;
  fallback: unknown;
}

const optionalModel = z.string().check(
  z.trim(),
  z.refine((text) => text === '' || !/[/\\]/.test(text) || path.isAbsolute(text)),
);
const absoluteOrEmpty = z.string().check(
  z.trim(),
  z.refine((text) => text === '' || path.isAbsolute(text)),
);
const wholeNumber = (least: number, most: number) => z.int().check(z.gte(least), z.lte(most));

/** The only list of settings in the code; `package.json` declares the same keys and defaults. */
export const SETTINGS = {
  model: {
    schema: optionalModel,
    expected: 'a model id or an absolute path to a GGUF file or a folder of safetensors',
    fallback: '',
  },
  device: { schema: z.enum(['auto', 'cpu', 'cuda']), expected: 'auto, cpu or cuda', fallback: 'auto' },
  attention: {
    schema: z.enum(['auto', 'dense', 'sample']),
    expected: 'auto, dense or sample',
    fallback: 'auto',
  },
  quality: { schema: z.enum(['fast', 'balanced']), expected: 'fast or balanced', fallback: 'balanced' },
  contextTokens: {
    schema: z.union([z.literal(0), wholeNumber(LEAST_CONTEXT_TOKENS, 1_048_576)]),
    expected: '0 or a whole number from 512 to 1048576',
    fallback: 0,
  },
  maxAnswerTokens: {
    schema: wholeNumber(1, 32_768),
    expected: 'a whole number from 1 to 32768',
    fallback: 512,
  },
  temperature: {
    schema: z.number().check(z.gte(0), z.lte(2)),
    expected: 'a number from 0 to 2',
    fallback: 0,
  },
  topP: {
    schema: z.number().check(z.gt(0), z.lte(1)),
    expected: 'a number above 0 and at most 1',
    fallback: 1,
  },
  topK: { schema: wholeNumber(0, 1000), expected: 'a whole number from 0 to 1000', fallback: 0 },
  seed: {
    schema: z.nullable(z.int().check(z.gte(0))),
    expected: 'a whole number of at least 0, or null',
    fallback: null,
  },
  exclude: { schema: z.array(z.string().check(z.minLength(1))), expected: 'a list of globs', fallback: [] },
  cpuThreads: { schema: wholeNumber(0, 256), expected: 'a whole number from 0 to 256', fallback: 0 },
  gpu: {
    schema: z.nullable(wholeNumber(0, 63)),
    expected: 'a whole number from 0 to 63, or null',
    fallback: null,
  },
  prefillPrecision: { schema: z.enum(['bf16', 'fp8']), expected: 'bf16 or fp8', fallback: 'bf16' },
  idleUnloadMinutes: {
    schema: z.number().check(z.gte(0), z.lte(1440)),
    expected: 'a number from 0 to 1440',
    fallback: 15,
  },
  cacheDir: { schema: absoluteOrEmpty, expected: 'an absolute path', fallback: '' },
  prefixCacheGb: {
    schema: z.number().check(z.gte(0), z.lte(1000)),
    expected: 'a number from 0 to 1000',
    fallback: 4,
  },
  warmPrefix: {
    schema: z.enum(['whenIdle', 'always', 'off']),
    expected: 'whenIdle, always or off',
    fallback: 'whenIdle',
  },
  'statusBar.visible': { schema: z.boolean(), expected: 'true or false', fallback: true },
} as const satisfies Record<string, Entry>;

/** Reads every setting. A value that cannot be used is replaced by the default and named in `problems`. */
export function readSettings(source: SettingsSource): { settings: Settings; problems: SettingProblem[] } {
  const problems: SettingProblem[] = [];
  const read = <Key extends keyof typeof SETTINGS>(key: Key): z.output<(typeof SETTINGS)[Key]['schema']> => {
    const { schema, expected, fallback } = SETTINGS[key];
    const value = source.get(key) ?? fallback;
    const parsed = schema.safeParse(value);
    if (!parsed.success) problems.push({ key, message: problemText(key, value, expected, fallback) });
    return (parsed.success ? parsed.data : fallback) as z.output<(typeof SETTINGS)[Key]['schema']>;
  };
  const model = read('model');
  const seed = read('seed');
  const gpu = read('gpu');
  const cacheDir = read('cacheDir');
  const settings: Settings = {
    ...(model !== '' && { model }),
    device: read('device'),
    attention: read('attention'),
    quality: read('quality'),
    contextTokens: read('contextTokens'),
    maxAnswerTokens: read('maxAnswerTokens'),
    temperature: read('temperature'),
    topP: read('topP'),
    topK: read('topK'),
    ...(seed !== null && { seed }),
    exclude: read('exclude'),
    cpuThreads: read('cpuThreads'),
    ...(gpu !== null && { gpu }),
    prefillPrecision: read('prefillPrecision'),
    idleUnloadMinutes: read('idleUnloadMinutes'),
    ...(cacheDir !== '' && { cacheDir }),
    prefixCacheGb: read('prefixCacheGb'),
    warmPrefix: read('warmPrefix'),
    statusBarVisible: read('statusBar.visible'),
  };
  return { settings, problems };
}

function problemText(key: string, value: unknown, expected: string, fallback: unknown): string {
  const used = JSON.stringify(fallback);
  return `longview.${key} must be ${expected}, not ${JSON.stringify(value)}; ${used} is used instead.`;
}

/** The options of one question. */
export function askOptionsOf(settings: Settings): AskOptions {
  return {
    ...(settings.model !== undefined && { model: settings.model }),
    device: settings.device,
    attention: settings.attention,
    quality: settings.quality,
    ...(settings.contextTokens > 0 && { contextTokens: settings.contextTokens }),
    maxAnswerTokens: settings.maxAnswerTokens,
    sampling: {
      temperature: settings.temperature,
      topP: settings.topP,
      topK: settings.topK,
      ...(settings.seed !== undefined && { seed: settings.seed }),
      stop: [],
    },
  };
}

/** What a server is started with. */
export function initializationOf(settings: Settings): InitializationOptions {
  const { cpuThreads, prefixCacheGb, gpu, prefillPrecision, idleUnloadMinutes } = settings;
  return {
    protocolVersion: PROTOCOL_VERSION,
    cacheDir: cacheDirOf(settings),
    cpuThreads,
    prefixCacheBytes: Math.round(prefixCacheGb * 1e9),
    ...(gpu !== undefined && { gpu }),
    prefillPrecision,
    idleUnloadMinutes,
  };
}

/** When the server computes the repository ahead of questions. */
export function warmthOf({ warmPrefix }: Settings): Omit<WarmPrefixParams, 'options'> {
  return { enabled: warmPrefix !== 'off', evenWhenBusy: warmPrefix === 'always' };
}

/** Where models and indexes lie: the setting, else the user's cache folder. */
export function cacheDirOf(settings: Settings): string {
  const userCache = process.env['XDG_CACHE_HOME'] || path.join(os.homedir(), '.cache');
  return settings.cacheDir ?? path.join(userCache, 'longview');
}

/** The settings of now, read again after each change. Every problem is reported once. */
export class LiveSettings {
  private current: Settings | undefined;
  private problemsOfNow: SettingProblem[] = [];
  private readonly subscription: vscode.Disposable;

  constructor(
    private readonly workspace: Pick<
      typeof vscode.workspace,
      'getConfiguration' | 'onDidChangeConfiguration'
    >,
    private readonly report: (problems: SettingProblem[]) => void,
  ) {
    this.subscription = this.onDidChange('longview', () => {
      this.current = undefined;
    });
  }

  get value(): Settings {
    this.current ??= this.read();
    return this.current;
  }

  get problems(): SettingProblem[] {
    return this.problemsOfNow;
  }

  /** Calls `listener` whenever a setting at or below `section` changes. */
  onDidChange(
    section: string,
    listener: (change: vscode.ConfigurationChangeEvent) => void,
  ): vscode.Disposable {
    return this.workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration(section)) listener(change);
    });
  }

  dispose(): void {
    this.subscription.dispose();
  }

  private read(): Settings {
    const { settings, problems } = readSettings(this.workspace.getConfiguration('longview'));
    this.problemsOfNow = problems;
    if (problems.length) this.report(problems);
    return settings;
  }
}
