import { HttpClient } from './http-client';
import { HubSource } from './hub-source';
import type { ModelSource } from './model-source';
import { SpawnedPipClient } from './pip-client';
import { PipSource } from './pip-source';
import type { Environment } from './proxy';

/** A source that does not answer for so long is given up. */
const ANSWER_MS = 5000;
/** So does one that falls silent within a file; what it sent is kept. */
const STALL_MS = 30_000;
/** Python starts slowly from a cold disk. */
const PIP_START_MS = 20_000;

/** Where models come from, in the order in which the places are tried: the hub, then Python packages. */
export function defaultSources(env: Environment): ModelSource[] {
  const http = new HttpClient(env, { answerMs: ANSWER_MS, stallMs: STALL_MS });
  const pipTimeouts = { startMs: PIP_START_MS, answerMs: ANSWER_MS, stallMs: STALL_MS };
  return [
    new HubSource(http, env),
    new PipSource(new SpawnedPipClient(env, pipTimeouts, ['python3', 'python'])),
  ];
}
