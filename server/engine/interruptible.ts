import type { Backend } from '../backends/backend';

/** Runs a chunk and ends it early, where the device can, when `signal` is aborted. */
export async function interruptible<T>(
  backend: Backend,
  signal: AbortSignal,
  run: () => Promise<T>,
): Promise<T> {
  // Where it fails, so does the chunk, which is what is awaited.
  const interrupt = (): void => void backend.interrupt?.().catch(() => undefined);
  signal.addEventListener('abort', interrupt, { once: true });
  try {
    return await run();
  } finally {
    signal.removeEventListener('abort', interrupt);
  }
}
