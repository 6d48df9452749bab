import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { messageOf, throwIfCancelled } from '../../errors';
import { filesOf, type ScanBatch, type ScannedBatch } from './scan-batch';
import type { ScanFiles, ScanInput, ScanRequest } from './scan-files';

/** Threads gain less and less; the disk and memory are what they share. */
const MOST_THREADS = 4;
const FILES_IN_BATCH = 128;
/** A file has at most a megabyte: what is made of it is gone with the next one. */
const THREAD_LIMITS = { maxOldGenerationSizeMb: 96, maxYoungGenerationSizeMb: 8 };

const THREAD_OPTIONS = { name: 'longview-scan', resourceLimits: THREAD_LIMITS };

/**
 * Reads files in threads that live as long as there are files to read.
 * @param workerPath absolute path of the bundled `scan-worker.js`
 */
export function scanByThreads(workerPath: string): ScanFiles {
  return async (input, signal) => {
    throwIfCancelled(signal);
    const batches = batchesOf(input);
    const count = Math.min(MOST_THREADS, availableParallelism(), Math.ceil(input.count / FILES_IN_BATCH));
    const threads = Array.from({ length: count }, () => new Worker(workerPath, THREAD_OPTIONS));
    const stop = () => {
      for (const thread of threads) void thread.terminate();
    };
    signal.addEventListener('abort', stop, { once: true });
    try {
      await Promise.all(threads.map((thread) => work(thread, batches, input)));
    } finally {
      signal.removeEventListener('abort', stop);
      await Promise.all(threads.map((thread) => thread.terminate()));
    }
    throwIfCancelled(signal);
  };
}

interface Batch {
  start: number;
  files: readonly ScanRequest[];
}

function* batchesOf({ count, request }: ScanInput): Generator<Batch, undefined> {
  for (let start = 0; start < count; start += FILES_IN_BATCH) {
    const length = Math.min(FILES_IN_BATCH, count - start);
    yield { start, files: Array.from({ length }, (_, at) => request(start + at)) };
  }
  return undefined;
}

/** Resolves when there is nothing left to do, or the thread has ended: then the others do the rest, or nobody. */
function work(
  thread: Worker,
  batches: Iterator<Batch, undefined>,
  { mostTerms, onFile }: ScanInput,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let current: Batch | undefined;
    /** @param room for the terms, from the batch before */
    const next = (room?: ArrayBuffer) => {
      const step = batches.next();
      if (step.done === true) {
        resolve();
        return;
      }
      current = step.value;
      const batch: ScanBatch = { files: current.files, mostTerms, room };
      thread.postMessage(batch, room ? [room] : []);
    };
    thread.on('message', (scanned: ScannedBatch) => {
      try {
        let index = current?.start ?? 0;
        for (const file of filesOf(scanned)) onFile(index++, file);
        next(scanned.terms.buffer as ArrayBuffer);
      } catch (error) {
        reject(error instanceof Error ? error : new Error(messageOf(error)));
      }
    });
    thread.on('error', (error) => {
      process.emitWarning(`A thread that reads files stopped: ${messageOf(error)}`);
      resolve();
    });
    thread.on('exit', () => resolve());
    next();
  });
}
