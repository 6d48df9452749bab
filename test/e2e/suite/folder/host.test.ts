import assert from 'node:assert/strict';
import * as vscode from 'vscode';

/** What the npm host replaces or prunes must not take away what extensions build on. */
suite('the VS Code that the tests run in', () => {
  test('has the folder open', () => {
    assert.equal(vscode.workspace.workspaceFolders?.length, 1);
  });

  test('finds files, watches them and runs a terminal', async () => {
    const folder = vscode.workspace.workspaceFolders![0]!.uri;
    assert.equal((await vscode.workspace.findFiles('**/stack.ts')).length, 1);
    const probe = vscode.Uri.joinPath(folder, 'probe.tmp');
    const watcher = vscode.workspace.createFileSystemWatcher('**/probe.tmp');
    const seen = new Promise<void>((resolve) => {
      watcher.onDidCreate(() => {
        resolve();
      });
    });
    const terminal = vscode.window.createTerminal({ name: 'probe', shellPath: '/bin/sh' });
    try {
      terminal.show();
      terminal.sendText(`echo from-terminal > '${probe.fsPath}'`);
      await seen;
      assert.match(new TextDecoder().decode(await vscode.workspace.fs.readFile(probe)), /from-terminal/);
    } finally {
      watcher.dispose();
      terminal.dispose();
      await vscode.workspace.fs.delete(probe);
    }
  });
});
