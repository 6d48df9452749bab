import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { reportText } from '../report';

suite('the extension in a window with two roots of one name', () => {
  test('activates', async () => {
    assert.deepEqual(
      vscode.workspace.workspaceFolders?.map(({ name }) => name),
      ['app', 'app'],
    );
    const extension = vscode.extensions.getExtension('longview.longview')!;
    await extension.activate();
    assert.ok(extension.isActive);
  });

  test('starts its server, which reports', async () => {
    const report = await reportText();
    assert.doesNotMatch(report, /did not report/);
    assert.match(report, /^- folders: 2$/m);
  });
});
