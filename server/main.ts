import { readFile } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import path from 'node:path';
import { type Connection, createConnection } from 'vscode-languageserver/node';
import { DidChangeContext, DidChangeEngineStatus, type InitializationOptions } from '../protocol';
import { type Route, toResponseError } from './connection';
import { createContextService } from './context/worker-client';
import { Engine } from './engine/engine';
import type { LoadDefaults } from './engine/resident-model';
import { HostSupervisor } from './engine-host/host-supervisor';
import { RestartPolicy } from './engine-host/restart-policy';
import { messageOf } from './errors';
import { ContextInspector } from './handlers/context-inspector';
import { checkInitializationOptions, initializeResult } from './handlers/initialize';
import { MachinePressure } from './handlers/machine-pressure';
import { PromptMemory } from './handlers/prompt-memory';
import { createRoutes } from './handlers/routes';
import { TokenTexts } from './handlers/token-texts';
import { WarmPrefix } from './handlers/warm-prefix';
import { CATALOGUE } from './models/catalogue';
import { freeBytesIn } from './models/disk-space';
import { ModelStore } from './models/model-store';
import { defaultSources } from './models/sources/default-sources';

const HOST_START_TIMEOUT_MS = 30_000;

/** Of this machine's memory, what computed prompts may take when the device has no room for them. */
const KV_MEMORY_SHARE = 1 / 16;

/** Composition root of the server: wires everything once the client has said where the caches lie. */
function main(): void {
  // The transport is in the arguments: --node-ipc under VS Code, --stdio under a program.
  const connection = createConnection();
  const logError = (message: string): void => connection.console.error(message);
  let running: { dispose(): Promise<void> } | undefined;

  connection.onInitialize(async ({ initializationOptions }) => {
    try {
      const options = checkInitializationOptions(initializationOptions);
      const version = await ownVersion();
      const product = compose(connection, options, version);
      running = product;
      for (const route of product.routes) route.register(connection, logError);
      return initializeResult(version);
    } catch (error) {
      throw toResponseError(error, logError);
    }
  });
  connection.onShutdown(async () => {
    await running?.dispose();
  });
  // Ctrl-C in a terminal goes to the whole group; the client cancels, and the connection ends the server.
  process.on('SIGINT', () => undefined);
  connection.listen();
}

function compose(connection: Connection, options: InitializationOptions, version: string) {
  const { cacheDir, gpu, idleUnloadMinutes = 0 } = options;
  const log = (line: string): void => connection.console.info(line);
  const steadyClock = (): number => performance.now();
  const models = new ModelStore({
    cacheDir,
    catalogue: CATALOGUE,
    sources: defaultSources(process.env),
    freeBytes: freeBytesIn,
  });
  const context = createContextService({
    workerPath: path.join(__dirname, 'context-worker.js'),
    indexFolder: path.join(cacheDir, 'indexes'),
    startsAtOnce: true,
  });
  const supervisor = new HostSupervisor({
    modulePath: path.join(__dirname, 'engine-host.js'),
    log,
    startTimeoutMs: HOST_START_TIMEOUT_MS,
    policy: new RestartPolicy(steadyClock),
    onState: (state, message) => engine.reportBackend(state, message),
  });
  const engine = new Engine({
    backends: supervisor,
    defaults: loadDefaults(options),
    log,
    now: steadyClock,
    idleUnloadMs: idleUnloadMinutes * 60_000,
    onStatus: (status) => {
      connection
        .sendNotification(DidChangeEngineStatus.method, status)
        .catch((error: unknown) => log(`status was not sent: ${messageOf(error)}`));
    },
  });
  const prompts = new PromptMemory();
  const warm = new WarmPrefix({
    models,
    context,
    engine,
    prompts,
    pressure: new MachinePressure(gpu === undefined ? {} : { gpu }),
    onStatus: (status) => engine.reportWarm(status),
    log,
  });
  const inspector = new ContextInspector({
    models,
    context,
    engine,
    onChange: () => {
      connection
        .sendNotification(DidChangeContext.method, {})
        .catch((error: unknown) => log(`a change of the context was not sent: ${messageOf(error)}`));
    },
  });
  const texts = new TokenTexts(context);
  const routes: Route[] = createRoutes({
    models,
    context,
    engine,
    tokenText: (model) => texts.of(model),
    prompts,
    warm,
    inspector,
    now: steadyClock,
    options,
    version,
  });
  return {
    routes,
    dispose: async () => {
      inspector.dispose();
      await Promise.all([warm.dispose(), engine.dispose(), context.dispose()]);
    },
  };
}

function loadDefaults(options: InitializationOptions): LoadDefaults {
  const { cacheDir, cpuThreads, prefixCacheBytes = 0, gpu, prefillPrecision = 'bf16' } = options;
  return {
    cacheDir,
    cpuThreads: cpuThreads === 0 ? availableParallelism() : cpuThreads,
    kvStore: { memoryBytes: totalmem() * KV_MEMORY_SHARE, diskBytes: prefixCacheBytes },
    ...(gpu !== undefined && { gpu }),
    prefillPrecision,
  };
}

async function ownVersion(): Promise<string> {
  const manifest = await readFile(path.join(__dirname, '..', 'package.json'), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}

main();
