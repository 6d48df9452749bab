import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { bytesText, PurgePrefixCache } from '../../protocol';
import { RequestCancelledError, type ServerConnection, ServerError } from '../client/server-connection';
import { StdioConnection } from '../client/stdio-connection';
import { initializationOf, readSettings } from '../config';
import {
  type AskCommand,
  type CacheCommand,
  type Command,
  type ModelsCommand,
  parseCommand,
} from './arguments';
import { runAsk, type Terminal } from './ask-command';
import { EXIT, UsageError } from './exit-codes';
import { HELP } from './help';
import { runModels } from './models-command';
import { ProgressLine } from './progress-line';

/** Composition root of the `longview` command. */
async function main(argv: readonly string[]): Promise<number> {
  const terminal: Terminal = {
    print: (text) => void process.stdout.write(text),
    progress: new ProgressLine(process.stderr),
  };
  const interrupt = new AbortController();
  process.on('SIGINT', () => interrupt.abort());
  // A reader that went away (`| head`) wants no more: stop as for Ctrl-C.
  process.stdout.on('error', () => interrupt.abort());
  try {
    const command = parseCommand(argv, process.cwd());
    await run(command, terminal, interrupt.signal);
    return interrupt.signal.aborted ? EXIT.interrupted : EXIT.ok;
  } catch (error) {
    terminal.progress.clear();
    if (interrupt.signal.aborted || error instanceof RequestCancelledError) return EXIT.interrupted;
    return report(error, terminal, argv.includes('--json'));
  }
}

async function run(command: Command, terminal: Terminal, signal: AbortSignal): Promise<void> {
  switch (command.kind) {
    case 'help':
      terminal.print(HELP);
      return;
    case 'version':
      terminal.print(`${await version()}\n`);
      return;
    case 'ask':
    case 'models':
    case 'cache':
      return withServer(command, terminal, signal);
  }
}

async function withServer(
  command: AskCommand | ModelsCommand | CacheCommand,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<void> {
  const { settings } = readSettings({ get: () => undefined });
  const connection = await StdioConnection.start({
    serverPath: path.join(__dirname, 'server.js'),
    initialization: initializationOf({
      ...settings,
      ...(command.kind === 'ask' && command.gpu !== undefined && { gpu: command.gpu }),
      ...(command.kind === 'ask' &&
        command.prefillPrecision && { prefillPrecision: command.prefillPrecision }),
    }),
    log: (line) => {
      if (command.verbose) terminal.progress.note(line);
    },
  });
  try {
    if (command.kind === 'ask') await runAsk(command, connection, terminal, signal);
    else if (command.kind === 'models') await runModels(command, connection, terminal, signal);
    else await purgeCache(connection, terminal);
  } finally {
    await connection.dispose();
  }
}

async function purgeCache(connection: ServerConnection, { print }: Terminal): Promise<void> {
  const { bytes } = await connection.request(PurgePrefixCache, {});
  print(`The prefix cache is empty; ${bytesText(bytes)} were on disk.\n`);
}

function report(error: unknown, { print, progress }: Terminal, json: boolean): number {
  if (error instanceof UsageError) {
    progress.note(`longview: ${error.message}\nSee longview --help.`);
    return EXIT.usage;
  }
  if (error instanceof ServerError) {
    progress.note(`longview: ${error.message}\n${error.data.action}`);
    if (json) print(`${JSON.stringify({ error: { message: error.message, ...error.data } })}\n`);
    return EXIT.failed;
  }
  progress.note(`longview: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  return EXIT.failed;
}

async function version(): Promise<string> {
  const manifest = await readFile(path.join(__dirname, '..', 'package.json'), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}

void main(process.argv.slice(2)).then((code) => {
  // Set, not forced: what is still in the pipes is written first.
  process.exitCode = code;
});
