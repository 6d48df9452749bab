import assert from 'node:assert/strict';
import { csvOf, headDensitiesOf } from '../../../../bench/quality/densities';
import type { CellOutcome, Outcome } from '../../../../bench/quality/measure';

const outcome = (configuration: string, densities?: number[]): Outcome => ({
  configuration,
  attention: configuration,
  prefillMs: 1,
  attentionMs: 1,
  selectionMs: 0,
  density: 0.5,
  ...(densities && { densities }),
  answers: [],
});
const cell = (name: string, densities: number[]): CellOutcome => ({
  cell: name,
  language: 'python',
  lengthTokens: 32_000,
  prefixTokens: 31_000,
  layers: 2,
  heads: 2,
  outcomes: [outcome('dense'), outcome('fast, of old', densities)],
});

suite('bench/quality densities', () => {
  const rows = headDensitiesOf([cell('a-1', [0.1, 0.2, 0.3, 0.4]), cell('b-2', [0.3, 0.2, 0.5, 0])]);

  test('a row for each layer and head, over the cells', () => {
    assert.deepEqual(
      rows.map(({ layer, head, density, least, most, cells }) => [layer, head, density, least, most, cells]),
      [
        [0, 0, 0.2, 0.1, 0.3, 2],
        [0, 1, 0.2, 0.2, 0.2, 2],
        [1, 0, 0.4, 0.3, 0.5, 2],
        [1, 1, 0.2, 0, 0.4, 2],
      ],
    );
  });

  test('commas in names do not break the columns', () => {
    const [names, first] = csvOf(rows).split('\n');
    assert.equal(names, 'configuration,lengthTokens,layer,head,density,least,most,cells');
    assert.equal(first, '"fast, of old",32000,0,0,0.2,0.1,0.3,2');
  });
});
