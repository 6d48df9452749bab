import os from 'node:os';
import type { EngineStatus, InitializationOptions, ModelInfo } from '../../protocol';
import { messageOf } from '../errors';

export interface DiagnoseDependencies {
  serverVersion: string;
  options: InitializationOptions;
  engineStatus: () => EngineStatus;
  listModels: () => Promise<ModelInfo[]>;
}

/** Everything that a bug report needs and nothing of the user's source text. Markdown. */
export async function diagnose(deps: DiagnoseDependencies): Promise<string> {
  return [
    '# Longview diagnosis',
    section('Versions', [
      `Longview server ${deps.serverVersion}, protocol ${deps.options.protocolVersion}`,
      `Node ${process.versions.node}, V8 ${process.versions.v8}`,
      `${os.type()} ${os.release()}, ${process.platform}-${process.arch}`,
    ]),
    section('Machine', machineFacts(deps.options)),
    section('Engine', engineFacts(deps.engineStatus())),
    section('Models', await modelFacts(deps.listModels)),
  ].join('\n\n');
}

function machineFacts({ cacheDir, cpuThreads }: InitializationOptions): string[] {
  const cpus = os.cpus();
  const usedBytes = process.memoryUsage.rss();
  return [
    `${cpus.length} cores, ${cpus[0]?.model ?? 'unknown processor'}`,
    `CPU threads for the engine: ${cpuThreads === 0 ? 'one per core' : cpuThreads}`,
    `Memory: ${gibibytes(os.totalmem())}, free ${gibibytes(os.freemem())}; the server uses ${gibibytes(usedBytes)}`,
    `Cache folder: ${cacheDir}`,
  ];
}

function engineFacts({ state, model, backend, device, queued, message }: EngineStatus): string[] {
  return [
    `State: ${state}, ${queued} waiting`,
    ...(model === undefined
      ? []
      : [`Loaded: ${model} on ${device ?? 'an unnamed device'} (${backend ?? '?'})`]),
    ...(message === undefined ? [] : [`Last message: ${message}`]),
  ];
}

async function modelFacts(listModels: () => Promise<ModelInfo[]>): Promise<string[]> {
  try {
    const models = await listModels();
    return models.map(({ id, state, isDefault }) => `${id}: ${state}${isDefault ? ' (default)' : ''}`);
  } catch (error) {
    return [`cannot be listed: ${messageOf(error)}`];
  }
}

function section(title: string, facts: string[]): string {
  return `## ${title}\n${facts.map((fact) => `- ${fact}`).join('\n')}`;
}

function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
