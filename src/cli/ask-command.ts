import { stat } from 'node:fs/promises';
import {
  Ask,
  type AskEvent,
  type AskOptions,
  type AskResult,
  type Attachment,
  attachmentCountText,
  attachmentRefusal,
  CountAttachments,
  DownloadModel,
  ManifestSync,
  NO_CHOICES,
  SetContextChoices,
} from '../../protocol';
import { type ServerConnection, ServerError } from '../client/server-connection';
import { nameRoots } from '../workspace/roots';
import { syncOnce } from '../workspace/workspace-sync';
import { type BothResults, comparisonTable, epilogue, jsonComparison, jsonReport } from './answer-text';
import type { AskCommand } from './arguments';
import { showAskEvent, showDownloadEvent } from './ask-progress';
import { attachmentsIn } from './attached-paths';
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
  if (command.allowSecrets) {
    await connection.notify(SetContextChoices, { ...NO_CHOICES, allowAllSecrets: true });
  }
  const attachments = await attachmentsIn(command.repo, command.attach);
  const printer = new AnswerPrinter(terminal, command.json);
  const ask = (options: AskOptions): Promise<AskResult> =>
    askWithModel({ ...command, options, attachments }, connection, printer, terminal.progress, signal);
  if (!command.compare) {
    printer.end(await ask(command.options));
    return;
  }
  printer.title('Sample attention');
  const sample = await ask({ ...command.options, attention: 'sample' });
  printer.title('Dense attention');
  const dense = await ask({ ...command.options, attention: 'dense' });
  printer.endBoth({ sample, dense });
}

/** A command whose attachments are known to be there. */
interface Asked extends AskCommand {
  attachments: Attachment[];
}

/** Asks, and once more behind a download when the model was missing. */
async function askWithModel(
  command: Asked,
  connection: ServerConnection,
  printer: AnswerPrinter,
  progress: ProgressLine,
  signal: AbortSignal,
): Promise<AskResult> {
  const ask = async (): Promise<AskResult> => {
    await checkAttachments(command, connection, progress, signal);
    return askOnce(command, connection, printer, signal);
  };
  return ask().catch(async (error: unknown) => {
    const id = missingModel(error);
    if (id === undefined) throw error;
    await downloadModel(id, connection, progress, signal);
    return ask();
  });
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

/**
 * Says what is attached and how many tokens it takes.
 * @throws ServerError before the question is sent when it does not fit
 */
async function checkAttachments(
  { question, attachments, options }: Asked,
  connection: ServerConnection,
  progress: ProgressLine,
  signal: AbortSignal,
): Promise<void> {
  if (attachments.length === 0) return;
  const asked = { question, attachments, options };
  const account = await connection.request(CountAttachments, asked, { signal });
  const reason = attachmentRefusal(account, '');
  if (reason !== undefined) {
    const code = account.neededTokens > account.budgetTokens ? 'promptTooLong' : 'badRequest';
    throw new ServerError(reason.trim(), { code, action: 'Attach less, or raise --context.' });
  }
  account.counts.forEach((count, at) => {
    const attachment = attachments[at];
    if (attachment && 'path' in attachment && 'tokens' in count)
      progress.note(`Attached ${attachment.path}: ${attachmentCountText(count)}`);
  });
}

function askOnce(
  { question, attachments, options }: Asked,
  connection: ServerConnection,
  printer: AnswerPrinter,
  signal: AbortSignal,
): Promise<AskResult> {
  return connection.request(
    Ask,
    { question, history: [], attachments, options },
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

  /** Stands before one of two answers. */
  title(text: string): void {
    this.terminal.progress.clear();
    if (!this.json) this.terminal.print(`\n${text}\n\n`);
  }

  endBoth(results: BothResults): void {
    this.terminal.progress.clear();
    this.terminal.print(this.json ? `${jsonComparison(results)}\n` : `\n\n${comparisonTable(results)}\n`);
  }

  end(result: AskResult): void {
    this.terminal.progress.clear();
    this.terminal.print(this.json ? `${jsonReport(result)}\n` : `\n\n${epilogue(result)}\n`);
  }
}
