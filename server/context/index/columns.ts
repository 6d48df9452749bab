/** Numbers in columns that grow: a hundred thousand files have a few arrays, not an object each. */
type Column = Float64Array | Int32Array | Uint8Array;

const FIRST_ROWS = 1024;

/** `column` with room for row `row`, the other rows as they were; it at least doubles, so that growing is rare. */
export function withRow<C extends Column>(column: C, row: number, perRow = 1): C {
  const needed = (row + 1) * perRow;
  if (needed <= column.length) return column;
  const larger = new (column.constructor as new (length: number) => C)(
    Math.max(needed, column.length * 2, FIRST_ROWS * perRow),
  );
  larger.set(column);
  return larger;
}

/** Row numbers from 0 on, the highest key first, and the lowest number first where keys are equal. */
export function rowsByKey(keys: Float64Array): Uint32Array {
  return Uint32Array.from(keys, (_, row) => row).sort(
    (a, b) => (keys[b] as number) - (keys[a] as number) || a - b,
  );
}
