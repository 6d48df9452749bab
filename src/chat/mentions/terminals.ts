import * as vscode from 'vscode';
import type { Attachment, Completions } from '../../../protocol';
import { readableOutput, Tail } from './terminal-text';

/** Of each command; what came before is not kept. */
const MOST_CHARS = 200_000;
const COMMANDS_KEPT = 10;

interface Ran {
  id: string;
  terminal: string;
  commandLine: string;
  output: Tail;
  /** Undefined while it runs, and where the shell does not tell. */
  exitCode?: number | undefined;
  isRunning: boolean;
}

const WITHOUT =
  'No output is known. The editor tells extensions of commands that run in a terminal with shell integration, from the ' +
  'moment on that the window is open, and of no selection in a terminal: copy it into the question instead.';

/**
 * What the last commands in terminals wrote. The stable interface of the editor gives nothing but this: the screen and
 * the selection of a terminal cannot be read. It stays in memory, bounded, and goes with the window.
 */
export class Terminals implements vscode.Disposable {
  private ran: Ran[] = [];
  private lastId = 0;
  private readonly running = new Map<vscode.TerminalShellExecution, Ran>();
  private readonly subscriptions: vscode.Disposable[];

  constructor(private readonly warn: (message: string) => void) {
    this.subscriptions = [
      vscode.window.onDidStartTerminalShellExecution(({ terminal, execution }) => {
        this.follow(terminal.name, execution).catch((error: unknown) =>
          this.warn(`The output of a terminal could not be read: ${String(error)}`),
        );
      }),
      vscode.window.onDidEndTerminalShellExecution(({ execution, exitCode }) => {
        const ran = this.running.get(execution);
        this.running.delete(execution);
        if (ran) Object.assign(ran, { isRunning: false, exitCode });
      }),
    ];
  }

  /** The commands whose output is known, the last one first. */
  complete(query: string): Completions {
    const wanted = query.toLowerCase();
    const items = this.ran
      .filter(({ commandLine }) => commandLine.toLowerCase().includes(wanted))
      .map((ran) => ({
        choice: { kind: 'terminal', id: ran.id } as const,
        label: ran.commandLine,
        detail: `${ran.terminal}, ${stateOf(ran)}`,
        icon: 'terminal',
        insert: '@terminal',
      }));
    return this.ran.length === 0 ? { items, remark: WITHOUT } : { items };
  }

  /** @throws when the command wrote nothing, or is not kept any more */
  attachment(id: string): Attachment {
    const ran = this.ran.find((each) => each.id === id);
    if (!ran) throw new Error('The output of that command is not kept any more. Run it again.');
    const output = readableOutput(ran.output.value);
    if (output === '')
      throw new Error(
        `Nothing is known of what "${ran.commandLine}" has written: nothing, or it ended at once, and then the editor ` +
          'does not pass it on. Copy it into the question instead.',
      );
    const cut = ran.output.isCut ? `(only the last ${MOST_CHARS} characters)\n` : '';
    return {
      kind: 'excerpt',
      source: 'terminal',
      label: ran.commandLine,
      text: `$ ${ran.commandLine}\n${cut}${output}\n(${stateOf(ran)})\n`,
    };
  }

  dispose(): void {
    for (const subscription of this.subscriptions) subscription.dispose();
  }

  private async follow(terminal: string, execution: vscode.TerminalShellExecution): Promise<void> {
    const ran: Ran = {
      id: String(++this.lastId),
      terminal,
      commandLine: execution.commandLine.value.trim(),
      output: new Tail(MOST_CHARS),
      isRunning: true,
    };
    this.running.set(execution, ran);
    if (ran.commandLine !== '') this.ran = [ran, ...this.ran].slice(0, COMMANDS_KEPT);
    // Only what comes after this call is ever told.
    for await (const piece of execution.read()) ran.output.add(piece);
  }
}

function stateOf({ isRunning, exitCode }: Ran): string {
  if (isRunning) return 'still running';
  return exitCode === undefined ? 'ended' : `exit code ${exitCode}`;
}
