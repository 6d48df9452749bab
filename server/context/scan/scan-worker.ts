/** Entry of the threads that read many files at once. */
import { parentPort } from 'node:worker_threads';
import { TermCounter } from '../index/term-counter';
import { BatchWriter, buffersOf, type ScanBatch } from './scan-batch';
import { FileScanner } from './scanner';

const port = parentPort;
if (!port) throw new Error('this program is a worker thread of the server');

const scanner = new FileScanner(new TermCounter());

port.on('message', ({ files, mostTerms, room }: ScanBatch) => {
  const writer = new BatchWriter(files.length, room);
  for (const file of files) writer.add(scanner.scan(file, mostTerms));
  const scanned = writer.finish();
  port.postMessage(scanned, buffersOf(scanned));
});
