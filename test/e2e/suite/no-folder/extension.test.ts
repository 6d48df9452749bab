import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { reportText } from '../report';

suite('the extension in a window without a folder', () => {
  test('activates', async () => {
    assert.equal(vscode.workspace.workspaceFolders, undefined);
    const extension = vscode.extensions.getExtension('longview.longview')!;
    await extension.activate();
    assert.ok(extension.isActive);
  });

  test('starts its server, which reports', async () => {
    const report = await reportText();
    assert.doesNotMatch(report, /did not report/);
    assert.match(report, /^- folders: 0$/m);
  });
});
