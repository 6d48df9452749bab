import * as vscode from 'vscode';

/** Every command that `package.json` contributes. */
export type CommandId =
  | 'openChat'
  | 'newChat'
  | 'askAboutSelection'
  | 'attachFile'
  | 'stop'
  | 'downloadModel'
  | 'showTtftDetails'
  | 'compareWithDense'
  | 'showContext'
  | 'pinInContext'
  | 'unpinFromContext'
  | 'excludeFromContext'
  | 'includeInContext'
  | 'addFolderToContext'
  | 'allowSecrets'
  | 'showNextContext'
  | 'showAskedContext'
  | 'copyPrompt'
  | 'exportContext'
  | 'restartEngine'
  | 'purgePrefixCache'
  | 'diagnose'
  | 'showLog';

export type Commands = Record<CommandId, (argument?: unknown) => unknown>;

/** Registers `longview.<id>` for each command. What a command throws is shown and logged. */
export function registerCommands(commands: Commands, log: vscode.LogOutputChannel): vscode.Disposable {
  const registered = Object.entries(commands).map(([id, run]) =>
    vscode.commands.registerCommand(`longview.${id}`, async (argument?: unknown) => {
      try {
        await run(argument);
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        log.error(`longview.${id}: ${message}`);
        void vscode.window.showErrorMessage(message);
      }
    }),
  );
  return vscode.Disposable.from(...registered);
}
