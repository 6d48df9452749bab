import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { reportText } from '../report';

suite('the report for bug reports', () => {
  suiteSetup(async () => {
    // A remote window starts before it has read the settings of its user.
    const wanted = () => vscode.workspace.getConfiguration('longview').get<string>('model') ?? '';
    while (!wanted().startsWith('smollm2')) {
      await new Promise<void>((resolve) => {
        const listening = vscode.workspace.onDidChangeConfiguration(() => {
          listening.dispose();
          resolve();
        });
      });
    }
  });

  test('comes from the running server and names the editor, without source text', async () => {
    const report = await reportText();
    assert.doesNotMatch(report, /did not report/);
    assert.match(report, /^- folders: 1$/m);
    assert.match(report, /^- model: "smollm2/m);
    assert.doesNotMatch(report, /BoundedStack/);
  });
});
