import { onOneLine } from './format';

/** Paths of files that there is no room for, so that the model knows that they are there. */
export interface PathList {
  entries: readonly { path: string; tokens: number }[];
  /** The head and each line. */
  pieces: readonly Int32Array[];
}

export const NO_PATHS: PathList = { entries: [], pieces: [] };

const HEAD = 'More files that the question may be about, by path alone:\n';
/** A path is hardly ever shorter. */
const FEWEST_TOKENS = 3;

/**
 * As many paths as fit, best first: they fill what whole files and signatures leave. Each line is encoded by itself,
 * so that the counts are exact.
 */
export function pathsWithin(
  paths: readonly string[],
  roomTokens: number,
  encode: (text: string) => Int32Array,
): PathList {
  const head = encode(HEAD);
  const pieces = [head];
  const entries: { path: string; tokens: number }[] = [];
  let room = roomTokens - head.length;
  for (const path of paths) {
    if (room < FEWEST_TOKENS) break;
    const line = encode(`${onOneLine(path)}\n`);
    if (line.length > room) continue;
    pieces.push(line);
    entries.push({ path, tokens: line.length });
    room -= line.length;
  }
  return entries.length === 0 ? NO_PATHS : { entries, pieces };
}
