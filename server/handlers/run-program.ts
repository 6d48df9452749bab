import { execFile } from 'node:child_process';

/** What a program printed; undefined where there is none, or it failed or took too long. */
export type RunProgram = (program: string, args: string[]) => Promise<string | undefined>;

const TIMEOUT_MS = 4000;

export const runProgram: RunProgram = (program, args) =>
  new Promise((resolve) => {
    execFile(program, args, { timeout: TIMEOUT_MS, windowsHide: true }, (error, stdout) =>
      resolve(error ? undefined : stdout),
    );
  });
