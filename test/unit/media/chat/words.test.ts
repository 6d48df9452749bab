import assert from 'node:assert/strict';
import { activityWords } from '../../../../media/chat/activity-words';
import { attachmentLabel } from '../../../../media/chat/attachment-label';
import { foldersText, modelText } from '../../../../media/chat/welcome-words';

suite('words of the view', () => {
  test('prefill: share, tokens, time left, what was reused', () => {
    const prefill = { kind: 'prefill', total: 3912, cached: 512, processed: 1532, etaMs: 2856 } as const;
    const { words, fraction, detail } = activityWords(prefill);
    assert.equal(words, 'Reading');
    assert.equal(Math.floor(fraction! * 100), 39);
    assert.equal(detail, '1,532 of 3,912 tokens · 2.9s left · 512 reused');
    assert.equal(activityWords({ ...prefill, cached: 0 }).detail, '1,532 of 3,912 tokens · 2.9s left');
  });

  test('stages and the queue', () => {
    assert.deepEqual(activityWords({ kind: 'stage', stage: 'load' }), { words: 'Loading the model' });
    assert.equal(activityWords({ kind: 'stage', stage: 'convert', fraction: 0.25 }).fraction, 0.25);
    assert.equal(activityWords({ kind: 'queued', ahead: 1 }).words, 'Waiting for 1 other question');
    assert.equal(activityWords({ kind: 'queued', ahead: 2 }).words, 'Waiting for 2 other questions');
  });

  test('a download names third parties and knows no share without a size', () => {
    assert.match(
      activityWords({ kind: 'source', name: 'part', thirdParty: true }).words,
      /part \(third party\)/,
    );
    assert.equal(activityWords({ kind: 'download', receivedBytes: 5e6, totalBytes: 0 }).fraction, undefined);
    const half = activityWords({ kind: 'download', receivedBytes: 5e6, totalBytes: 1e7 });
    assert.equal(half.fraction, 0.5);
    assert.equal(half.detail, '5 MB of 10 MB');
  });

  test('the empty view says what will be read and by which model', () => {
    assert.match(foldersText({ folders: [] }), /No folder is open/);
    assert.match(foldersText({ folders: ['app'] }), /files of app that \.gitignore leaves in/);
    assert.match(foldersText({ folders: ['a', 'b'], files: 1 }), /^Reads from 1 file of a, b:/);
    assert.match(foldersText({ folders: ['a', 'b', 'c', 'd'], files: 2 }), /of 4 folders:/);
    assert.equal(modelText({ folders: [] }), 'The model runs on this machine.');
    const model = { name: 'Small', state: 'ready', bytes: 4e8 } as const;
    assert.equal(modelText({ folders: [], model, device: 'CPU' }), 'Small answers on CPU.');
    assert.match(
      modelText({ folders: [], model: { ...model, state: 'missing' } }),
      /not here yet \(400 MB\)/,
    );
  });

  test('attachments in few words', () => {
    assert.equal(attachmentLabel({ kind: 'file', path: 'src/a.ts' }), 'a.ts');
    const selection = { kind: 'selection', path: 'src/a.ts', startLine: 3, endLine: 9, text: '' } as const;
    assert.equal(attachmentLabel(selection), 'a.ts:3-9');
    assert.equal(attachmentLabel({ ...selection, endLine: 3 }), 'a.ts:3');
  });
});
