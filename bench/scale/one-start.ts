import { readdirSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ManifestSyncParams } from '../../protocol';
import { createContextService } from '../../server/context/worker-client';
import { listByThread } from '../../src/workspace/list-by-thread';
import { WorkspaceSync } from '../../src/workspace/workspace-sync';
import { type Blocked, BlockedProbe } from './blocked-probe';

export interface OneStart {
  folder: string;
  indexFolder: string;
  modelPath: string;
}

/** What a start took: until a prompt was packed, and once more after one file was edited. */
export interface StartResult {
  files: number;
  wallS: number;
  cpuS: number;
  editWallS: number;
  rssMb: number;
  /** The longest that the thread was not free which in the editor is the extension host, until the list was sent. */
  blocked: Blocked;
  promptTokens: number;
}

const BUDGET_TOKENS = 8000;
const QUESTION = 'Where is the retry of a batch configured, and what merges the index of a shard?';

/** Lists, reads, indexes, ranks and packs, in this process alone, as a window does that was just opened. */
export async function startOnce({ folder, indexFolder, modelPath }: OneStart): Promise<StartResult> {
  const probe = new BlockedProbe();
  const startedAt = performance.now();
  const service = createContextService({
    workerPath: path.resolve('out/context-worker.js'),
    indexFolder,
    startsAtOnce: true,
  });
  const scope = { roots: [{ name: 'corpus', path: folder }], exclude: [] };
  const sync = new WorkspaceSync({
    send: (params: ManifestSyncParams) => service.sync(params),
    sendOverlay: (params) => service.overlay(params),
    report: ({ message }) => console.error(message),
    settleMs: 0,
    list: listByThread(path.resolve('out/list-worker.js')),
  });
  sync.setScope(scope);
  await sync.flush();
  const blocked = probe.stop();
  const pack = () =>
    service.pack(
      { question: QUESTION, history: [], attachments: [], modelPath, budgetTokens: BUDGET_TOKENS },
      () => undefined,
      new AbortController().signal,
    );
  const packed = await pack();
  const wallS = (performance.now() - startedAt) / 1000;
  const { user, system } = process.cpuUsage();
  const edited = packed.inclusion.included[0]?.path;
  if (edited === undefined) throw new Error('no file was packed');
  await indexSaved(indexFolder);
  await appendFile(path.join(folder, edited), '\n');
  const editedAt = performance.now();
  sync.noteChange('changed', path.join(folder, edited));
  await sync.flush();
  await pack();
  const editWallS = (performance.now() - editedAt) / 1000;
  sync.dispose();
  await service.dispose();
  return {
    files: packed.inclusion.totalFiles,
    wallS,
    cpuS: (user + system) / 1e6,
    editWallS,
    rssMb: process.resourceUsage().maxRSS / 1024,
    blocked,
    promptTokens: packed.inclusion.promptTokens,
  };
}

/** The index is saved behind the question's back: this waits for it. */
async function indexSaved(folder: string): Promise<void> {
  for (let attempt = 0; attempt < 600; attempt++) {
    const names = readdirSync(folder);
    if (names.length > 0 && names.every((name) => name.endsWith('.index'))) return;
    await sleep(100);
  }
  throw new Error('the index was not saved within a minute');
}
