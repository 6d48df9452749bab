import assert from 'node:assert/strict';
import { reportText } from '../report';

suite('the report for bug reports', () => {
  test('comes from the running server and names the editor, without source text', async () => {
    const report = await reportText();
    assert.doesNotMatch(report, /did not report/);
    assert.match(report, /^- folders: 1$/m);
    assert.match(report, /^- model: "smollm2/m);
    assert.doesNotMatch(report, /BoundedStack/);
  });
});
