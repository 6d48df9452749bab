// The table of docs/PERFORMANCE.md, made from bench/results, so that no figure in it is older than its record.
import fs from 'node:fs';
import path from 'node:path';
import { root } from '../host/paths.mjs';

export const PERFORMANCE = 'docs/PERFORMANCE.md';
const RESULTS = 'bench/results/h200';
const TABLE = /(<!-- figures:begin -->\n)[\s\S]*?(<!-- figures:end -->)/;

/**
 * What a figure must reach: `ratio`, how many times as good as its peer, or `most`, in the unit of the row.
 * @type {{ what: string, id: string, ratio?: number, most?: number }[]}
 */
const FIGURES = [
  { what: 'products of the linear layers, the worst of them, against cuBLAS', id: 'gemm.bf16', ratio: 0.95 },
  { what: 'dense attention of a layer, 12/2 heads of 128, 32K', id: 'attention.dense.d128.32k', ratio: 0.95 },
  { what: 'the same, 128K', id: 'attention.dense.d128.128k', ratio: 0.95 },
  { what: 'dense attention of a layer, 14/2 heads of 64, 128K', id: 'attention.dense.d64.128k', ratio: 0.9 },
  { what: 'dense TTFT at 128K, against FA3 and cuBLAS alone', id: 'ttft.dense.128k', ratio: 0.9 },
  { what: 'dense TTFT at 8K, against llama.cpp', id: 'ttft.dense.8k.llamacpp', ratio: 4 },
  { what: 'dense TTFT at 128K, against llama.cpp', id: 'ttft.dense.128k.llamacpp', ratio: 4 },
  { what: 'decode at a depth of 32K, against the memory bandwidth', id: 'decode.32k', ratio: 0.8 },
  { what: 'model load, file cache warm', id: 'load.warm', most: 3 },
  { what: 'Stop to an idle GPU', id: 'cancel.idle', most: 100 },
];

/** `docs/PERFORMANCE.md` with the table that the records ask for. */
export function performancePage() {
  const page = fs.readFileSync(path.join(root, PERFORMANCE), 'utf8');
  if (!TABLE.test(page))
    throw new Error(`${PERFORMANCE} has no <!-- figures:begin --> … <!-- figures:end -->`);
  return page.replace(TABLE, (_all, begin, end) => `${begin}${table()}${end}`);
}

/** Figures of the table that the page does not explain. */
export function unexplainedFigures() {
  const page = fs.readFileSync(path.join(root, PERFORMANCE), 'utf8').replace(TABLE, '');
  return FIGURES.filter(({ id }) => !page.includes(`\`${id}\``)).map(
    ({ id }) => `${PERFORMANCE} does not explain ${id}`,
  );
}

function table() {
  const rows = recordedRows();
  const lines = FIGURES.map((figure) => lineOf(figure, rows.get(figure.id)));
  return ['| what | id | measured | beside | asked | |', '|---|---|---|---|---|---|', ...lines, ''].join(
    '\n',
  );
}

function lineOf({ what, id, ratio, most }, row) {
  const asked = ratio === undefined ? `at most ${most}` : `${ratio}x`;
  if (!row) return `| ${what} | \`${id}\` | | | ${asked} | not recorded |`;
  const reached = ratio === undefined ? row.value : row.ratio;
  if (reached === undefined)
    return `| ${what} | \`${id}\` | ${quantity(row.value, row.unit)} | | ${asked} | no peer recorded |`;
  const isMet = ratio === undefined ? reached <= most : reached >= ratio;
  const beside =
    row.ratio === undefined
      ? ''
      : `${row.ratio.toFixed(2)}x of ${row.peer}, ${quantity(row.peerValue, row.unit)}`;
  return `| ${what} | \`${id}\` | ${quantity(row.value, row.unit)} | ${beside} | ${asked} | ${isMet ? 'met' : 'not met'} |`;
}

/** Rows of all records by id. */
function recordedRows() {
  const folder = path.join(root, RESULTS);
  const records = fs
    .readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(fs.readFileSync(path.join(folder, name), 'utf8')));
  return new Map(records.flatMap(({ rows }) => rows).map((row) => [row.id, row]));
}

function quantity(value, unit) {
  return value === undefined ? '' : `${Number(value.toPrecision(3))} ${unit}`.trim();
}
