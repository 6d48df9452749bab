import {
  Ask,
  Diagnose,
  DownloadModel,
  GetEngineStatus,
  ImportModel,
  type InitializationOptions,
  ListModels,
  ManifestSync,
  Overlay,
  PurgePrefixCache,
  WarmPrefix,
} from '../../protocol';
import { answers, listens, type Route } from '../connection';
import type { Engine } from '../engine/engine';
import type { ModelStore } from '../models/model-store';
import { type AskDependencies, AskHandler } from './ask';
import { diagnose } from './diagnose';
import {
  askParams,
  downloadModelParams,
  importModelParams,
  listModelsParams,
  manifestSyncParams,
  noParams,
  overlayParams,
  warmPrefixParams,
} from './schemas';
import type { WarmPrefix as WarmKeeper } from './warm-prefix';

export interface RouteDependencies extends AskDependencies {
  models: Pick<ModelStore, 'resolve' | 'list' | 'download' | 'importFile'>;
  engine: Pick<Engine, 'generate' | 'deviceFor' | 'heldTokens' | 'purge' | 'status'>;
  warm: Pick<WarmKeeper, 'configure' | 'giveWay' | 'noteChange'>;
  options: InitializationOptions;
  version: string;
}

/** The table of the server: every method of the protocol and who answers it. */
export function createRoutes(deps: RouteDependencies): Route[] {
  const { models, context, engine, warm, options, version } = deps;
  const asking = new AskHandler(deps);
  return [
    answers(Ask, askParams, (params, request) => {
      warm.giveWay();
      return asking.ask(params, request).finally(() => warm.noteChange());
    }),
    answers(ManifestSync, manifestSyncParams, (params) =>
      context.sync(params).finally(() => warm.noteChange()),
    ),
    listens(Overlay, overlayParams, (params) => context.overlay(params).finally(() => warm.noteChange())),
    listens(WarmPrefix, warmPrefixParams, (params) => {
      warm.configure(params);
      return Promise.resolve();
    }),
    answers(ListModels, listModelsParams, async ({ device }) => ({
      models: await models.list(await engine.deviceFor(device)),
    })),
    answers(DownloadModel, downloadModelParams, async ({ id, allowThirdParty }, { signal, emit }) => ({
      path: await models.download(id, { allowThirdParty, signal, onEvent: (event) => emit([event]) }),
    })),
    answers(ImportModel, importModelParams, async ({ path }, { signal }) => ({
      id: await models.importFile(path, { signal }),
    })),
    answers(PurgePrefixCache, noParams, async () => ({ bytes: await engine.purge() })),
    answers(GetEngineStatus, noParams, () => Promise.resolve(engine.status)),
    answers(Diagnose, noParams, async () => ({
      report: await diagnose({
        serverVersion: version,
        options,
        engineStatus: () => engine.status,
        listModels: async () => models.list(await engine.deviceFor('auto')),
      }),
    })),
  ];
}
