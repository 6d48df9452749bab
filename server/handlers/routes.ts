import {
  Ask,
  AskedContext,
  CountAttachments,
  Diagnose,
  DownloadModel,
  Find,
  GetEngineStatus,
  GetPromptText,
  ImportModel,
  type InitializationOptions,
  InspectContext,
  ListContextFolder,
  ListModels,
  ManifestSync,
  Overlay,
  PurgePrefixCache,
  SetContextChoices,
  WarmPrefix,
} from '../../protocol';
import { answers, listens, type Route } from '../connection';
import type { Engine } from '../engine/engine';
import type { ModelStore } from '../models/model-store';
import { type AskDependencies, AskHandler } from './ask';
import type { ContextInspector } from './context-inspector';
import { countAttachments } from './count-attachments';
import { diagnose } from './diagnose';
import {
  askParams,
  contextChoices,
  countAttachmentsParams,
  downloadModelParams,
  findParams,
  importModelParams,
  inspectContextParams,
  listContextFolderParams,
  listModelsParams,
  manifestSyncParams,
  noParams,
  overlayParams,
  promptTextParams,
  warmPrefixParams,
} from './schemas';
import type { WarmPrefix as WarmKeeper } from './warm-prefix';

export interface RouteDependencies extends AskDependencies {
  models: Pick<ModelStore, 'resolve' | 'list' | 'download' | 'importFile'>;
  engine: Pick<Engine, 'generate' | 'deviceFor' | 'heldTokens' | 'purge' | 'status'>;
  warm: Pick<WarmKeeper, 'configure' | 'giveWay' | 'noteChange'>;
  inspector: Pick<ContextInspector, 'inspect' | 'noteChange'>;
  options: InitializationOptions;
  version: string;
}

/** The table of the server: every method of the protocol and who answers it. */
export function createRoutes(deps: RouteDependencies): Route[] {
  const { models, context, engine, warm, inspector, options, version } = deps;
  const asking = new AskHandler(deps);
  const noteChange = (): void => {
    warm.noteChange();
    inspector.noteChange();
  };
  return [
    answers(Ask, askParams, (params, request) => {
      warm.giveWay();
      return asking.ask(params, request).finally(() => warm.noteChange());
    }),
    answers(ManifestSync, manifestSyncParams, (params) => context.sync(params).finally(noteChange)),
    listens(Overlay, overlayParams, (params) => context.overlay(params).finally(noteChange)),
    listens(SetContextChoices, contextChoices, (params) => context.choose(params).finally(noteChange)),
    answers(InspectContext, inspectContextParams, (params, { signal }) => inspector.inspect(params, signal)),
    answers(AskedContext, noParams, async () => ({ account: await context.asked() })),
    answers(ListContextFolder, listContextFolderParams, ({ id, folder }) => context.folder(id, folder)),
    answers(GetPromptText, promptTextParams, async ({ id }) => ({ parts: await context.promptText(id) })),
    answers(CountAttachments, countAttachmentsParams, (params, { signal }) =>
      countAttachments(deps, params, signal),
    ),
    answers(Find, findParams, (params, { signal }) => context.find(params, signal)),
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
