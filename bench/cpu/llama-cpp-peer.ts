import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import type { Measurement, Workload } from './workload';

/** The peer is a package of its own, so that nobody installs it who does not measure. */
const SOURCE = path.join('bench', 'cpu', 'llama-cpp');
const INSTALLED = path.join('out', 'bench', 'llama-cpp');

interface PeerResult {
  peer: string;
  threads: number;
  results: Measurement[];
}

/** Installs llama.cpp's prebuilt binary for Node.js in the locked version. */
export function installLlamaCpp(): void {
  fs.mkdirSync(INSTALLED, { recursive: true });
  for (const file of fs.readdirSync(SOURCE)) {
    fs.copyFileSync(path.join(SOURCE, file), path.join(INSTALLED, file));
  }
  // Its install script would fetch or compile a binary; the locked optional package is the binary. Not `npm ci`,
  // which refuses a lock without the packages of other platforms that a mirror may lack.
  execFileSync('npm', ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: INSTALLED,
    stdio: 'inherit',
  });
}

/** One measurement for each size of the workload, in a process of its own. */
export function measureLlamaCpp(workload: Workload): PeerResult {
  const { modelPath, sizes, decodeTokens, threads } = workload;
  const request = path.resolve(INSTALLED, 'request.json');
  fs.writeFileSync(
    request,
    JSON.stringify({ modelPath, sizes, decodeTokens, threads, ids: [...workload.ids] }),
  );
  const output = execFileSync(process.execPath, ['measure.mjs', request], {
    cwd: INSTALLED,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const result = JSON.parse(output) as PeerResult;
  if (result.threads !== threads) throw new Error(`llama.cpp ran ${result.threads} threads, not ${threads}`);
  return result;
}
