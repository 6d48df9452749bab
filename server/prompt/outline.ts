import { folderOutline } from './format';

/** Share of the room for files that an outline of the repository may take. */
const OUTLINE_SHARE = 0.05;
const MAX_DEPTH = 4;

/**
 * The deepest outline of the folders that takes at most its share of the room; empty when none does.
 * It depends on the paths and the room only, never on the question.
 */
export function outlineWithin(
  paths: readonly string[],
  roomTokens: number,
  encode: (text: string) => Int32Array,
): string {
  let best = '';
  for (let depth = 1; depth <= MAX_DEPTH; depth++) {
    const outline = folderOutline(paths, depth);
    if (outline === best || encode(outline).length > roomTokens * OUTLINE_SHARE) break;
    best = outline;
  }
  return best;
}
