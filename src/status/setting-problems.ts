import * as vscode from 'vscode';
import type { SettingProblem } from '../config';

/** Shows settings that could not be used, with the way to mend them. */
export function showSettingProblems(problems: SettingProblem[], log: vscode.LogOutputChannel): void {
  for (const { message } of problems) log.warn(message);
  const openSettings = 'Open Settings';
  const query = problems.map(({ key }) => `longview.${key}`).join(' ');
  vscode.window.showWarningMessage(problems.map(({ message }) => message).join(' '), openSettings).then(
    (answer) => {
      if (answer === openSettings)
        void vscode.commands.executeCommand('workbench.action.openSettings', query);
    },
    (error: unknown) => log.warn(String(error)),
  );
}
