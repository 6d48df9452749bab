import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** A fresh folder for one test, with the files given by relative path. */
export class Scratch {
  readonly root: string;

  /** @param parent an existing folder */
  constructor(files: Record<string, string> = {}, parent = os.tmpdir()) {
    this.root = fs.mkdtempSync(path.join(parent, 'longview-workspace-'));
    for (const [name, text] of Object.entries(files)) this.write(name, text);
  }

  at(name: string): string {
    return path.join(this.root, name);
  }

  write(name: string, text: string): void {
    fs.mkdirSync(path.dirname(this.at(name)), { recursive: true });
    fs.writeFileSync(this.at(name), text);
  }

  remove(name = ''): void {
    fs.rmSync(this.at(name), { recursive: true, force: true });
  }
}
