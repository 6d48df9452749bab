/** Entry of the thread that lists the files of a workspace, so that the extension host never waits for a disk. */
import { parentPort, workerData } from 'node:worker_threads';
import type { ManifestEntry } from '../../protocol';
import { listWorkspace, statPlacesInTurn, type WorkspaceScope } from './list-workspace';
import { batchOf, type FromLister } from './listed-batch';
import { messageOf } from './problem';

const port = parentPort;
if (!port) throw new Error('this program is a worker thread of the extension');

/** A message wakes the other thread; one of this size is handled within a millisecond or two. */
const ENTRIES_IN_MESSAGE = 1000;

const post = (message: FromLister, moved: ArrayBuffer[] = []): void => port.postMessage(message, moved);

async function list(scope: WorkspaceScope): Promise<void> {
  // Who does not want the list any more ends this thread.
  const { signal } = new AbortController();
  const batches = listWorkspace(
    scope,
    (problem) => post({ kind: 'problem', problem }),
    signal,
    statPlacesInTurn,
  );
  let gathered: ManifestEntry[] = [];
  const pass = () => {
    const batch = batchOf(gathered);
    post({ kind: 'batch', ...batch }, [batch.stamps.buffer as ArrayBuffer]);
    gathered = [];
  };
  for await (const entries of batches) {
    if (entries[0]?.root !== gathered[0]?.root || gathered.length >= ENTRIES_IN_MESSAGE) pass();
    gathered.push(...entries);
  }
  pass();
  post({ kind: 'end' });
}

list(workerData as WorkspaceScope).catch((error: unknown) =>
  post({ kind: 'failed', message: messageOf(error) }),
);
