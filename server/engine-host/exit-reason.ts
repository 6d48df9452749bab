import { LongviewError } from '../errors';

/** What is known when an engine host has ended without being asked to. */
export interface ExitFacts {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** Last lines it wrote to stderr. */
  stderrTail: string;
  /** The kernel's out-of-memory killer struck while it ran. */
  oomKilled: boolean;
  /** True once it had said that it is ready. */
  wasReady: boolean;
}

const SMALLER = 'Ask with a smaller context or choose a smaller model.';
const AGAIN = 'Ask again: the engine restarts by itself.';
const ON_THE_CPU = 'If it fails again, choose the device "cpu".';

const OUT_OF_MEMORY = /heap out of memory|std::bad_alloc|Cannot allocate memory|CUDA_ERROR_OUT_OF_MEMORY/i;
/** What `server/backends/cuda` says before it ends the process. */
const GPU_FAULT = /^The GPU failed: .*$/m;
const NOT_LOADABLE =
  /Cannot find module|ERR_DLOPEN_FAILED|cannot open shared object|GLIBC(XX)?_[\d.]+.*not found/i;

/** Puts a crash into words: which kind it was and what the user can do. */
export function classifyExit(facts: ExitFacts): LongviewError {
  const how = facts.signal ? `signal ${facts.signal}` : `exit code ${String(facts.code)}`;
  const details = { how };
  if ((facts.signal === 'SIGKILL' && facts.oomKilled) || OUT_OF_MEMORY.test(facts.stderrTail))
    return new LongviewError('outOfMemory', `The engine ran out of memory (${how}).`, SMALLER, details);
  if (NOT_LOADABLE.test(facts.stderrTail))
    return new LongviewError(
      'deviceUnavailable',
      `The engine could not load a library: ${lineMatching(facts.stderrTail, NOT_LOADABLE)}`,
      'Install Longview again for this platform.',
      details,
    );
  const fault = GPU_FAULT.exec(facts.stderrTail)?.[0];
  if (fault !== undefined)
    return new LongviewError('engineCrashed', fault, `${AGAIN} ${ON_THE_CPU}`, { how, device: 'cuda' });
  const [message, action] = wordsFor(facts, how);
  return new LongviewError('engineCrashed', message, action, details);
}

function wordsFor({ signal, stderrTail, wasReady }: ExitFacts, how: string): [string, string] {
  switch (signal) {
    case 'SIGKILL':
      return ['The engine was killed from outside (SIGKILL).', `${AGAIN} If it happens often, free memory.`];
    case 'SIGILL':
      return [
        'The engine met an instruction that this processor does not have (SIGILL).',
        'Report it with the output of "Longview: Diagnose".',
      ];
    case 'SIGSEGV':
    case 'SIGBUS':
    case 'SIGABRT':
    case 'SIGFPE':
      return [`The engine crashed in native code (${signal}).${lastLine(stderrTail)}`, AGAIN];
    case null:
    default:
      return wasReady
        ? [`The engine ended unexpectedly (${how}).${lastLine(stderrTail)}`, AGAIN]
        : [
            `The engine could not start (${how}).${lastLine(stderrTail)}`,
            'Report it with the output of "Longview: Diagnose".',
          ];
  }
}

function lineMatching(text: string, pattern: RegExp): string {
  return (text.split('\n').find((line) => pattern.test(line)) ?? text).trim();
}

function lastLine(text: string): string {
  const line = text.trim().split('\n').at(-1)?.trim();
  return line ? ` It last said: ${line}` : '';
}
