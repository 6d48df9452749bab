import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A fresh folder for each test of the suite this is called in; gone after the test. */
export function useTempFolder(): () => string {
  let folder = '';
  setup(() => {
    folder = mkdtempSync(join(tmpdir(), 'longview-models-'));
  });
  teardown(() => rmSync(folder, { recursive: true, force: true }));
  return () => folder;
}
