import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Environment } from '../../../../../server/models/sources/proxy';
import { writeZip } from './write-zip';

/** What the fake pip does for one package. */
export type PipBehaviour =
  | { kind: 'deliver'; wheel: string }
  | { kind: 'fail'; stderr: string }
  | { kind: 'silent' }
  | { kind: 'noAnswer' }
  | { kind: 'stall' }
  | { kind: 'wrapped'; pidPath: string }
  | { kind: 'noWheel' };

/** A `python3` that plays pip's part: a program on a PATH of its own, told by a file what to do. */
export class FakePython {
  private readonly binFolder: string;
  private readonly planPath: string;
  /** One line for each start: the arguments as JSON. */
  readonly logPath: string;

  constructor(private readonly folder: string) {
    this.binFolder = join(folder, 'bin');
    this.planPath = join(folder, 'plan.json');
    this.logPath = join(folder, 'pip.log');
    mkdirSync(this.binFolder, { recursive: true });
    writeFileSync(this.logPath, '');
    const script = join(this.binFolder, 'python3');
    writeFileSync(script, `#!${process.execPath}\n${PROGRAM}`);
    chmodSync(script, 0o755);
  }

  get env(): Environment {
    return { PATH: this.binFolder, FAKE_PIP_PLAN: this.planPath, FAKE_PIP_LOG: this.logPath };
  }

  /** @param behaviours by package name */
  plan(behaviours: Record<string, PipBehaviour>): void {
    writeFileSync(this.planPath, JSON.stringify(behaviours));
  }

  /** Behaviour that delivers a wheel with this file in it. */
  delivering(name: string, member: string, data: Uint8Array): PipBehaviour {
    const wheel = join(this.folder, `${name.replaceAll('-', '_')}-1.0-py3-none-any.whl`);
    mkdirSync(dirname(wheel), { recursive: true });
    writeFileSync(wheel, writeZip([{ name: member, data }]));
    return { kind: 'deliver', wheel };
  }
}

const PROGRAM = `
const fs = require('node:fs');
const path = require('node:path');
const args = process.argv.slice(2);
fs.appendFileSync(process.env.FAKE_PIP_LOG, JSON.stringify({ args, cwd: process.cwd(), tmp: process.env.TMPDIR }) + '\\n');
const plan = JSON.parse(fs.readFileSync(process.env.FAKE_PIP_PLAN, 'utf8'));
const [name] = args.at(-1).split('==');
const folder = args[args.indexOf('--dest') + 1];
const does = plan[name];
const forEver = () => setInterval(() => undefined, 1000);
if (does.kind === 'silent') forEver();
else if (does.kind === 'fail') { process.stderr.write(does.stderr); process.exitCode = 1; }
else {
  process.stdout.write('Collecting ' + args.at(-1) + '\\n');
  if (does.kind === 'noAnswer') forEver();
  else if (does.kind === 'wrapped') {
    const idle = ['-e', 'setInterval(() => undefined, 1000)'];
    const child = require('node:child_process').spawn(process.execPath, idle, { stdio: 'inherit' });
    fs.writeFileSync(does.pidPath, String(child.pid));
    forEver();
  } else if (does.kind === 'stall') {
    process.stdout.write('  Downloading ' + name + '.whl\\n');
    fs.writeFileSync(path.join(folder, 'half'), 'half');
    forEver();
  } else if (does.kind === 'deliver') {
    process.stdout.write('  Downloading ' + name + '.whl\\n');
    fs.copyFileSync(does.wheel, path.join(folder, path.basename(does.wheel)));
  }
}
`;
