// How long the start of the extension takes, as VS Code itself measures it.
//   npm run bench -- activation [STARTS]
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { commitUnderTest, cpuDevice, spreadOf, writeRecord } from '../record';
import { measureActivation } from './measure';

const DEFAULT_STARTS = 7;

async function main(): Promise<void> {
  const starts = Number(process.argv[2] ?? DEFAULT_STARTS);
  if (!Number.isInteger(starts) || starts < 1) throw new Error('STARTS must be a whole number above 0.');
  // Apart from the checkout, whose out/ belongs to whoever works there; its path is short for sockets.
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'lv-act-'));
  try {
    const extension = stageExtension(dir);
    const folder = path.join(dir, 'folder');
    fs.mkdirSync(folder);
    const samples: number[] = [];
    for (let start = 1; start <= starts; start++) {
      samples.push(await measureActivation(extension, folder));
      console.log(`start ${start} of ${starts}: ${samples.at(-1)} ms`);
    }
    await record(samples);
  } finally {
    fs.rmSync(dir, { recursive: true });
  }
}

/** The extension as it is packaged, without the server, which must not start. */
function stageExtension(dir: string): string {
  const extension = path.join(dir, 'extension');
  execFileSync(
    process.execPath,
    ['scripts/build.mjs', '--production', '--out', path.join(extension, 'out')],
    { stdio: 'inherit' },
  );
  fs.copyFileSync('package.json', path.join(extension, 'package.json'));
  fs.cpSync('media', path.join(extension, 'media'), { recursive: true });
  return extension;
}

async function record(samples: number[]): Promise<void> {
  const spread = spreadOf(samples);
  await writeRecord('cpu', {
    bench: 'activation',
    commit: commitUnderTest(),
    date: new Date().toISOString(),
    device: cpuDevice(),
    driver: '',
    rows: [
      {
        id: 'activation',
        value: spread.median,
        unit: 'ms',
        ...spread,
        note: `loading the code and activate(), as VS Code shows it; ${samples.length} starts of a fresh VS Code`,
      },
    ],
  });
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
