import fs from 'node:fs';
import path from 'node:path';
import util from 'node:util';
import Mocha from 'mocha';

/** Starting the server and a small model takes seconds on two cores; an answer a few more. */
const TEST_LIMIT_MS = 120_000;

function environment(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: this module is started by scripts/test.mjs`);
  return value;
}

/**
 * Entry called by the extension host, the same in desktop VS Code and in the npm host. Runs the compiled
 * files that TEST_FILES lists and reports to files: the host's console is noisy and may live in a browser.
 */
export async function run(): Promise<void> {
  const report = environment('TEST_REPORT');
  const say = (...values: unknown[]): void => {
    fs.appendFileSync(report, `${util.format(...values)}\n`);
  };
  try {
    Mocha.reporters.Base.consoleLog = say;
    const mocha = new Mocha({
      ui: 'tdd',
      reporter: path.join(extensionRoot(), 'scripts/testing/reporter.cjs'),
      color: false,
      timeout: TEST_LIMIT_MS,
      forbidOnly: true,
    });
    for (const file of JSON.parse(environment('TEST_FILES')) as string[]) mocha.addFile(file);
    const failures = await new Promise<number>((resolve) => {
      mocha.run(resolve);
    });
    if (failures > 0) throw new Error(`${failures} tests failed`);
  } catch (error) {
    say(error instanceof Error ? error.stack : error);
    throw error;
  }
}

/** The checkout: this file is compiled to out/test/e2e/suite. */
function extensionRoot(): string {
  return path.resolve(__dirname, '../../../..');
}
