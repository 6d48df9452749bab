import * as vscode from 'vscode';

/** Runs `Longview: Diagnose` and returns the report that it opens. */
export async function reportText(): Promise<string> {
  await vscode.commands.executeCommand('longview.diagnose');
  const editor = vscode.window.activeTextEditor;
  if (editor?.document.uri.scheme !== 'longview-report') throw new Error('no report was opened');
  return editor.document.getText();
}
