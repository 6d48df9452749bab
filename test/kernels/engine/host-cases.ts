import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Backend, LoadRequest } from '../../../server/backends/backend';
import { HostSupervisor } from '../../../server/engine-host/host-supervisor';
import { RestartPolicy } from '../../../server/engine-host/restart-policy';
import { LongviewError } from '../../../server/errors';
import type { Case } from './tiny-cases';

const SAMPLING = { temperature: 0, topP: 1, topK: 0, stop: [] };
const MEGABYTE = 2 ** 20;
/** A process that uses a GPU takes at least this much of its memory. */
const CONTEXT_MEGABYTES = 100;
const FREED_WITHIN_MS = 5000;
const SETTLE_MS = 500;

/** The module of test/kernels/fault_addon.cu. */
export interface FaultAddon {
  hog(device: number, leftBytes: number): number;
  release(): void;
}

export interface HostSetting {
  /** Compiled engine host, with the addon beside it. */
  hostPath: string;
  faultAddonPath: string;
  /** `fault-preload.cjs`. */
  preloadPath: string;
  fixtures: string;
}

/** The engine host process on this machine's GPU: what follows when it, or the GPU, goes wrong. */
export function hostCases(setting: HostSetting): Case[] {
  return [
    ['host: a fault in a kernel', () => faultInKernel(setting)],
    ['host: kill -9 frees the GPU', () => killFreesMemory(setting)],
    ['host: a GPU without memory', () => noMemory(setting)],
  ];
}

async function faultInKernel(setting: HostSetting): Promise<string> {
  return withHost(setting, async ({ supervisor, states, armFault }) => {
    const before = await supervisor.acquire();
    assert.equal(await firstToken(before, setting), await firstToken(before, setting), 'before the fault');
    armFault();
    const error = await firstToken(before, setting).then(
      () => assert.fail('the fault had no effect'),
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof LongviewError);
    assert.equal(error.code, 'engineCrashed');
    assert.match(error.message, /^The GPU failed: .*illegal (memory access|address)/i);
    assert.match(error.action, /restarts by itself.*"cpu"/);
    const after = await supervisor.acquire();
    assert.notEqual(after, before);
    await firstToken(after, setting);
    assert.deepEqual(states, ['restarting', 'idle']);
    return error.message;
  });
}

async function killFreesMemory(setting: HostSetting): Promise<string> {
  return withHost(setting, async ({ supervisor }) => {
    const free = await settledMegabytes();
    const backend = await supervisor.acquire();
    await firstToken(backend, setting);
    const used = await settledMegabytes();
    assert.ok(used > free + CONTEXT_MEGABYTES, `${free} MB before the load, ${used} MB after`);
    const { pid } = backend;
    assert.ok(pid !== undefined);
    const startMs = performance.now();
    process.kill(pid, 'SIGKILL');
    // The supervisor starts a new host, which touches the GPU only with its first load.
    while (usedMegabytes() > free + CONTEXT_MEGABYTES / 2) {
      assert.ok(performance.now() - startMs < FREED_WITHIN_MS, `still ${usedMegabytes()} MB in use`);
      await delay(50);
    }
    const ms = Math.round(performance.now() - startMs);
    await firstToken(await supervisor.acquire(), setting);
    return `${used - free} MB were free again after ${ms} ms`;
  });
}

/** Another process holds everything: said in words, and no harm once it lets go. */
async function noMemory(setting: HostSetting): Promise<string> {
  const module = { exports: {} };
  process.dlopen(module, setting.faultAddonPath);
  const faults = module.exports as FaultAddon;
  return withHost(setting, async ({ supervisor, states }) => {
    const backend = await supervisor.acquire();
    const told: string[] = [];
    try {
      for (const left of [0, 600 * MEGABYTE]) {
        faults.hog(0, left);
        const error = await firstToken(backend, setting).then(
          () => assert.fail(`it ran with ${left} bytes`),
          (reason: unknown) => reason,
        );
        assert.ok(error instanceof LongviewError, String(error));
        assert.equal(error.code, 'outOfMemory', error.message);
        assert.match(error.action, /GPU memory/);
        told.push(error.message);
        faults.release();
      }
    } finally {
      faults.release();
    }
    await firstToken(backend, setting);
    assert.deepEqual(states, [], 'the host did not end');
    return told.join(' / ');
  });
}

interface Host {
  supervisor: HostSupervisor;
  states: string[];
  /** The next prefill meets a fault. */
  armFault: () => void;
}

async function withHost<T>(setting: HostSetting, use: (host: Host) => Promise<T>): Promise<T> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'longview-host-'));
  const faultFile = path.join(folder, 'fault');
  const states: string[] = [];
  process.env['NODE_OPTIONS'] = `--require ${setting.preloadPath}`;
  process.env['LONGVIEW_FAULT_ADDON'] = setting.faultAddonPath;
  process.env['LONGVIEW_FAULT_WHILE'] = faultFile;
  const lines: string[] = [];
  const supervisor = new HostSupervisor({
    modulePath: setting.hostPath,
    log: (line) => lines.push(line),
    startTimeoutMs: 30_000,
    policy: new RestartPolicy(() => performance.now()),
    onState: (state) => states.push(state),
  });
  try {
    return await use({ supervisor, states, armFault: () => fs.writeFileSync(faultFile, '') });
  } catch (error) {
    console.log(lines.slice(-10).join('\n'));
    throw error;
  } finally {
    await supervisor.dispose();
    fs.rmSync(folder, { recursive: true });
    delete process.env['NODE_OPTIONS'];
  }
}

async function firstToken(backend: Backend, { fixtures }: HostSetting): Promise<number | undefined> {
  const request: LoadRequest = {
    modelPath: path.join(fixtures, 'qwen2-tied-mixed.gguf'),
    modelSha256: 'tiny',
    cacheDir: os.tmpdir(),
    device: 'cuda',
    attention: 'dense',
    contextTokens: 1024,
    cpuThreads: 1,
  };
  await backend.load(request, () => undefined);
  const sequence = await backend.openSequence({ sampling: SAMPLING, firstUnusedToken: 96 });
  const tokens = Int32Array.from({ length: 700 }, (_, i) => (i * 7) % 96);
  return (await backend.prefillChunk({ sequence, tokens, sample: true })).next;
}

/** Once it no longer changes: what an ended process held is given back a little later. */
async function settledMegabytes(): Promise<number> {
  for (let before = usedMegabytes(); ; ) {
    await delay(SETTLE_MS);
    const now = usedMegabytes();
    if (now === before) return now;
    before = now;
  }
}

function usedMegabytes(): number {
  const query = ['--query-gpu=memory.used', '--format=csv,noheader,nounits', '--id=0'];
  return Number(execFileSync('nvidia-smi', query, { encoding: 'utf8' }).trim());
}
