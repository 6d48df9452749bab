import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { messageOf, throwIfCancelled } from '../../errors';
import { filesOf, type ScannedBatch } from './scan-batch';
import type { ScanFiles, ScanRequest } from './scan-files';

/** Threads gain less and less; the disk and memory are what they share. */
const MOST_THREADS = 4;
const FILES_IN_BATCH = 128;
/** A file has at most a megabyte: what is made of it is gone with the next one. */
const THREAD_LIMITS = { maxOldGenerationSizeMb: 96, maxYoungGenerationSizeMb: 8 };

/**
 * Reads files in threads that live as long as there are files to read.
 * @param workerPath absolute path of the bundled `scan-worker.js`
 */
export function scanByThreads(workerPath: string): ScanFiles {
  return async (files, mostTerms, signal, onFile) => {
    throwIfCancelled(signal);
    const batches = batchesOf(files);
    const count = Math.min(MOST_THREADS, availableParallelism(), Math.ceil(files.length / FILES_IN_BATCH));
    const threads = Array.from({ length: count }, () => new Worker(workerPath, THREAD_OPTIONS));
    const stop = () => {
      for (const thread of threads) void thread.terminate();
    };
    signal.addEventListener('abort', stop, { once: true });
    try {
      await Promise.all(threads.map((thread) => work(thread, batches, mostTerms, onFile)));
    } finally {
      signal.removeEventListener('abort', stop);
      await Promise.all(threads.map((thread) => thread.terminate()));
    }
    throwIfCancelled(signal);
  };
}

const THREAD_OPTIONS = { name: 'longview-scan', resourceLimits: THREAD_LIMITS };

interface Batch {
  start: number;
  files: readonly ScanRequest[];
}

function* batchesOf(files: readonly ScanRequest[]): Generator<Batch, undefined> {
  for (let start = 0; start < files.length; start += FILES_IN_BATCH) {
    yield { start, files: files.slice(start, start + FILES_IN_BATCH) };
  }
  return undefined;
}

/** Resolves when there is nothing left to do, or the thread has ended: then the others do the rest, or nobody. */
function work(
  thread: Worker,
  batches: Iterator<Batch, undefined>,
  mostTerms: number,
  onFile: Parameters<ScanFiles>[3],
): Promise<void> {
  return new Promise((resolve, reject) => {
    let current: Batch | undefined;
    const next = () => {
      const step = batches.next();
      if (step.done === true) {
        resolve();
        return;
      }
      current = step.value;
      thread.postMessage({ files: current.files, mostTerms });
    };
    thread.on('message', (scanned: ScannedBatch) => {
      try {
        let index = current?.start ?? 0;
        for (const file of filesOf(scanned)) onFile(index++, file);
        next();
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
