import { stat } from 'node:fs/promises';
import { Ask, type AskEvent, type AskResult, DownloadModel, ManifestSync } from '../../protocol';
import { type ServerConnection, ServerError } from '../client/server-connection';
import { nameRoots } from '../workspace/roots';
import { syncOnce } from '../workspace/workspace-sync';
import { epilogue, jsonReport } from './answer-text';
import type { AskCommand } from './arguments';
import { showAskEvent, showDownloadEvent } from './ask-progress';
import { UsageError } from './exit-codes';
import type { ProgressLine } from './progress-line';

export interface Terminal {
  /** Writes to stdout. */
  print: (text: string) => void;
  progress: ProgressLine;
}

/**
 * Asks one question and prints the answer.
 * @throws RequestCancelledError when stopped before there was text; ServerError; UsageError
 */
export async function runAsk(
  command: AskCommand,
  connection: ServerConnection,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<void> {
  await sendWorkspace(command.repo, connection, terminal.progress, signal);
  const printer = new AnswerPrinter(terminal, command.json);
  const ask = (): Promise<AskResult> => askOnce(command, connection, printer, signal);
  const result = await ask().catch(async (error: unknown) => {
    const id = missingModel(error);
    if (id === undefined) throw error;
    await downloadModel(id, connection, terminal.progress, signal);
    return ask();
  });
  printer.end(result);
}

/** Fetches a model, third-party packages included: they are named as they are used. */
export async function downloadModel(
  id: string,
  connection: ServerConnection,
  progress: ProgressLine,
  signal: AbortSignal,
): Promise<string> {
  const { path } = await connection.request(
    DownloadModel,
    { id, allowThirdParty: true },
    { onEvent: (event) => showDownloadEvent(progress, event), signal },
  );
  progress.clear();
  return path;
}

async function sendWorkspace(
  repo: string,
  connection: ServerConnection,
  progress: ProgressLine,
  signal: AbortSignal,
): Promise<void> {
  const isFolder = await stat(repo).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
  if (!isFolder) throw new UsageError(`${repo} is not a folder; name the repository with --repo DIR.`);
  progress.update('Listing files');
  await syncOnce(
    { roots: nameRoots([{ path: repo }]), exclude: [] },
    {
      send: (params) => connection.request(ManifestSync, params),
      report: ({ message }) => progress.note(`Warning: ${message}`),
      signal,
    },
  );
}

function askOnce(
  { question, options }: AskCommand,
  connection: ServerConnection,
  printer: AnswerPrinter,
  signal: AbortSignal,
): Promise<AskResult> {
  return connection.request(
    Ask,
    { question, history: [], attachments: [], options },
    { onEvent: (event) => printer.take(event), signal },
  );
}

/** The id of a catalogue model that the question needs and that is not here. */
function missingModel(error: unknown): string | undefined {
  if (!(error instanceof ServerError) || error.data.code !== 'modelMissing') return undefined;
  const id = error.data.details?.['id'] ?? error.data.details?.['model'];
  return typeof id === 'string' ? id : undefined;
}

/** Writes the answer as it comes, or keeps quiet until the end when the whole is to be one JSON object. */
class AnswerPrinter {
  constructor(
    private readonly terminal: Terminal,
    private readonly json: boolean,
  ) {}

  take(event: AskEvent): void {
    const { progress, print } = this.terminal;
    showAskEvent(progress, event);
    if (event.kind !== 'token') return;
    progress.clear();
    if (!this.json) print(event.text);
  }

  end(result: AskResult): void {
    this.terminal.progress.clear();
    this.terminal.print(this.json ? `${jsonReport(result)}\n` : `\n\n${epilogue(result)}\n`);
  }
}
