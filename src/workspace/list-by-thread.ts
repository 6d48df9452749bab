import { on } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { ManifestEntry } from '../../protocol';
import type { ListWorkspace } from './list-workspace';
import { entriesOf, type FromLister } from './listed-batch';

/** All but the paths lives briefly. */
const resourceLimits = { maxYoungGenerationSizeMb: 6 };

/**
 * `listWorkspace` in a thread of its own, which lives as long as the list takes.
 * @param workerPath absolute path of the bundled `list-worker.js`
 */
export function listByThread(workerPath: string): ListWorkspace {
  return async function* list(scope, report, signal): AsyncGenerator<ManifestEntry[]> {
    signal.throwIfAborted();
    const worker = new Worker(workerPath, { name: 'longview-list', workerData: scope, resourceLimits });
    const ended = new AbortController();
    worker.once('exit', (code) => ended.abort(new Error(`The thread that lists files stopped (${code}).`)));
    try {
      // An error of the thread is thrown here.
      const messages = on(worker, 'message', { signal: AbortSignal.any([signal, ended.signal]) });
      for await (const [message] of messages as AsyncIterable<[FromLister]>) {
        if (message.kind === 'batch') yield entriesOf(message);
        else if (message.kind === 'problem') report(message.problem);
        else if (message.kind === 'failed') throw new Error(message.message);
        else return;
      }
    } catch (error) {
      signal.throwIfAborted();
      throw ended.signal.aborted ? ended.signal.reason : error;
    } finally {
      await worker.terminate();
    }
  };
}
