import * as vscode from 'vscode';
import { bytesText, type ChatFailure, type DownloadEvent, type ModelInfo } from '../../protocol';
import { failureOf } from '../chat/failure';
import type { AnswerService } from '../session/answer-service';

/** Lets the user choose a model, fetches it, and asks before packages of third parties are used. */
export async function downloadModel(service: AnswerService): Promise<void> {
  const model = await chooseModel(await service.listModels());
  if (!model) return;
  const consent = await fetchModel(service, model, false);
  if (!consent) return;
  const allow = 'Allow and Download';
  const answer = await vscode.window.showWarningMessage(
    consent.message,
    { modal: true, detail: consent.action },
    allow,
  );
  if (answer === allow) await fetchModel(service, model, true);
}

async function chooseModel(models: ModelInfo[]): Promise<ModelInfo | undefined> {
  const items = models.map((model) => ({
    label: model.name,
    description: model.state === 'ready' ? 'on this machine' : bytesText(model.bytes),
    detail: `${model.licence} · from ${model.sources.map(sourceName).join(', ')}`,
    model,
  }));
  const chosen = await vscode.window.showQuickPick(items, {
    title: 'Download a Model',
    placeHolder: 'The model runs on this machine; nothing that you ask leaves it',
  });
  return chosen?.model;
}

function sourceName({ name, thirdParty }: ModelInfo['sources'][number]): string {
  return thirdParty ? `${name} (third party, asked before it is used)` : name;
}

/** Returns what must be allowed first, when something must; throws other failures. */
async function fetchModel(
  service: AnswerService,
  model: ModelInfo,
  allowThirdParty: boolean,
): Promise<ChatFailure | undefined> {
  const abort = new AbortController();
  try {
    await vscode.window.withProgress(
      {
        location: vscode.ProgressLocation.Notification,
        title: `Downloading ${model.name}`,
        cancellable: true,
      },
      async (progress, cancelled) => {
        cancelled.onCancellationRequested(() => abort.abort());
        await service.downloadModel(model.id, allowThirdParty, reporter(progress), abort.signal);
      },
    );
  } catch (error) {
    if (abort.signal.aborted) return undefined;
    const failure = failureOf(error);
    if (failure.code === 'thirdPartyConsentRequired' && !allowThirdParty) return failure;
    throw new Error(`${failure.message} ${failure.action}`, { cause: error });
  }
  void vscode.window.showInformationMessage(`${model.name} is on this machine.`);
  return undefined;
}

/** Passes download events on as the increments, in per cent, that a notification wants. */
function reporter(progress: vscode.Progress<{ message?: string; increment?: number }>) {
  let reportedPercent = 0;
  return (event: DownloadEvent): void => {
    const percent = event.kind === 'progress' ? percentOf(event) : 0;
    progress.report({ message: eventText(event), increment: Math.max(0, percent - reportedPercent) });
    reportedPercent = Math.max(percent, reportedPercent);
  };
}

function percentOf({ receivedBytes, totalBytes }: Extract<DownloadEvent, { kind: 'progress' }>): number {
  return totalBytes > 0 ? (receivedBytes / totalBytes) * 100 : 0;
}

function eventText(event: DownloadEvent): string {
  switch (event.kind) {
    case 'progress':
      return `${bytesText(event.receivedBytes)} of ${bytesText(event.totalBytes)}`;
    case 'source':
      return `from ${event.name}`;
    case 'sourceFailed':
      return `${event.name}: ${event.reason}`;
    case 'verify':
      return 'verifying the checksum';
  }
}
