/** Entry of the thread that lists the files of a workspace, so that the extension host never waits for a disk. */
import { parentPort, workerData } from 'node:worker_threads';
import { listWorkspace, statPlacesInTurn, type WorkspaceScope } from './list-workspace';
import { batchOf, type FromLister } from './listed-batch';
import { messageOf } from './problem';

const port = parentPort;
if (!port) throw new Error('this program is a worker thread of the extension');

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
  for await (const entries of batches) {
    const batch = batchOf(entries);
    post({ kind: 'batch', ...batch }, [batch.stamps.buffer as ArrayBuffer]);
  }
  post({ kind: 'end' });
}

list(workerData as WorkspaceScope).catch((error: unknown) =>
  post({ kind: 'failed', message: messageOf(error) }),
);
