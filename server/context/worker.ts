/** Entry of the worker thread that reads, tokenizes, ranks and packs. */
import path from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { ContextServiceImpl } from './context-service-impl';
import { DiskFileSource } from './disk-file-source';
import { unpackedSync } from './packed-sync';
import { PromptModels } from './prompt-model';
import { lastCommits } from './recency/last-commits';
import { scanByThreads } from './scan/scan-pool';
import type { CallResult, FromWorker, ToWorker, WorkerData } from './worker-protocol';
import { toWire } from './worker-protocol';

type CallMessage = Extract<ToWorker, { kind: 'call' }>;

const port = parentPort;
if (!port) throw new Error('this program is a worker thread of the server');

const { indexFolder } = workerData as WorkerData;
const folders = { grammars: path.join(__dirname, 'grammars'), indexes: indexFolder };
const scan = scanByThreads(path.join(__dirname, 'scan-worker.js'));
const helpers = { scan, lastCommits };
const service = new ContextServiceImpl(new DiskFileSource(), new PromptModels().load, folders, helpers);
const running = new Map<number, AbortController>();

port.on('message', (message: ToWorker) => {
  if (message.kind === 'cancel') running.get(message.id)?.abort();
  else if (message.kind === 'release') service.release(message.packId);
  else void answer(message);
});

async function answer(call: CallMessage): Promise<void> {
  const controller = new AbortController();
  running.set(call.id, controller);
  try {
    const result = await perform(call, controller.signal);
    post({ kind: 'result', id: call.id, result }, buffersOf(result));
  } catch (error) {
    post({ kind: 'error', id: call.id, error: toWire(error) });
  } finally {
    running.delete(call.id);
  }
}

async function perform(call: CallMessage, signal: AbortSignal): Promise<CallResult> {
  switch (call.method) {
    case 'sync':
      await service.sync(unpackedSync(call.params));
      return null;
    case 'overlay':
      await service.overlay(call.params);
      return null;
    case 'choose':
      await service.choose(call.params);
      return null;
    case 'inspect':
      return service.inspect(call.params, signal);
    case 'asked':
      return service.asked();
    case 'folder':
      return service.folder(call.params.id, call.params.folder);
    case 'promptText':
      return { parts: await service.promptText(call.params.id) };
    case 'pack':
      return service.pack(
        call.params,
        (fraction) => post({ kind: 'progress', id: call.id, fraction }),
        signal,
      );
    case 'packBase':
      return service.packBase(call.params, signal);
    case 'countAttachments':
      return service.countAttachments(call.params, signal);
    case 'find':
      return service.find(call.params, signal);
    case 'cite':
      return service.cite(call.params.packId, call.params.answer);
    case 'tokenTable':
      return service.tokenTable(call.params.modelPath);
  }
}

/** Large arrays are moved to the server's thread, not copied. */
function buffersOf(result: CallResult): ArrayBuffer[] {
  if (result === null) return [];
  if ('tokenIds' in result) return [result.tokenIds.buffer as ArrayBuffer];
  return 'offsets' in result ? [result.bytes.buffer, result.offsets.buffer] : [];
}

function post(message: FromWorker, moved: ArrayBuffer[] = []): void {
  port?.postMessage(message, moved);
}
