import * as vscode from 'vscode';

/** Those of the Context view. */
export type ContextCommandId =
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
  | 'exportContext';

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
  | ContextCommandId
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
