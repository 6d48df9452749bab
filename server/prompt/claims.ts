/** A name or text that an answer uses, and where in the answer it stands. */
export interface Claim {
  kind: 'symbol' | 'quote';
  text: string;
  /** Offset in the answer. */
  at: number;
}

/** A place that the answer writes out, such as `src/a.ts:12-20`. */
export interface WrittenPlace {
  path: string;
  startLine: number;
  endLine: number;
  at: number;
}

const CODE_BLOCK = /```[^\n]*\n([\s\S]*?)(?:```|$)/g;
const INLINE_CODE = /`([^`\n]+)`/g;
const QUOTED = /["“]([^"“”\n]{8,})["”]/g;
const IDENTIFIER_PATH = /^[\p{L}_$][\p{L}\p{N}_$]*(?:(?:\.|::|->|#)[\p{L}_$][\p{L}\p{N}_$]*)*(?:\(\))?$/u;
/** Names that show without backticks that they are code: `a_b`, `aB`, `A1`. */
const BARE_NAME =
  /(?<![\p{L}\p{N}_$./-])(?=[\p{L}\p{N}_$]*(?:\p{L}_\p{L}|\p{Ll}\p{Lu}|_\p{L}))[\p{L}_$][\p{L}\p{N}_$]{4,}(?![\p{L}\p{N}_$/-])/gu;
/** `a.ts:1`, `a.ts:1-2`, `a.ts#L1-L2`, `a.ts` line 1, `a.ts`, lines 1 to 2. */
const WRITTEN_PLACE =
  /(?<![\p{L}\p{N}_@.~+/-])(?<path>[\p{L}\p{N}_@.~+/-]{1,400})[`'")\]]*(?::|#L|,?\s+\(?(?:at |on )?lines?\s+)L?(?<start>\d{1,7})(?:\s*(?:-|–|to)\s*L?(?<end>\d{1,7}))?/gu;
/** Shorter text occurs anywhere and shows nothing. */
export const MIN_QUOTE_CHARS = 8;

/** Names in backticks, bare names with the shape of code, and quotes, in the order of the answer. */
export function claimsIn(answer: string): Claim[] {
  const claims: Claim[] = [];
  const prose = answer.replace(CODE_BLOCK, (block: string, code: string, at: number) => {
    claims.push({ kind: 'quote', text: code, at });
    return ' '.repeat(block.length);
  });
  for (const match of prose.matchAll(INLINE_CODE)) claims.push(...inlineClaim(match[1] ?? '', match.index));
  const plain = prose.replace(INLINE_CODE, (code) => ' '.repeat(code.length));
  for (const match of plain.matchAll(QUOTED)) {
    claims.push({ kind: 'quote', text: match[1] ?? '', at: match.index });
  }
  for (const match of plain.matchAll(BARE_NAME)) {
    claims.push({ kind: 'symbol', text: match[0], at: match.index });
  }
  return claims.sort((a, b) => a.at - b.at);
}

function inlineClaim(code: string, at: number): Claim[] {
  const text = code.trim();
  if (IDENTIFIER_PATH.test(text)) return [{ kind: 'symbol', text, at }];
  return text.length >= MIN_QUOTE_CHARS ? [{ kind: 'quote', text, at }] : [];
}

/** Names that stand in backticks, as they are written, without repeats. */
export function namesInBackticks(answer: string): string[] {
  const prose = answer.replace(CODE_BLOCK, '');
  const names = [...prose.matchAll(INLINE_CODE)].map((match) => (match[1] ?? '').trim());
  return [...new Set(names.filter((name) => IDENTIFIER_PATH.test(name)))];
}

/** The names in `a.b::c()`, the last one first; single letters point nowhere. */
export function partsOfName(written: string): string[] {
  return written
    .replace(/\(\)$/, '')
    .split(/\.|::|->|#/)
    .filter((name) => name.length > 1)
    .reverse();
}

/** Places with lines that the answer writes itself. */
export function writtenPlacesIn(answer: string): WrittenPlace[] {
  const places: WrittenPlace[] = [];
  for (const match of answer.matchAll(WRITTEN_PLACE)) {
    const { path = '', start = '', end } = match.groups ?? {};
    const startLine = Number(start);
    // Without a dot or a slash it is a word before a number, such as "port:80".
    if (!/[./]/.test(path) || startLine < 1) continue;
    const endLine = Math.max(startLine, Number(end ?? start));
    places.push({ path: path.replace(/^\.\//, ''), startLine, endLine, at: match.index });
  }
  return places;
}

/** Start and end of the sentence or line around `at`; a dot inside of a name does not end one. */
export function sentenceAround(answer: string, at: number): { start: number; end: number } {
  const breaks = [...answer.matchAll(/[.!?](?=\s|$)|\n/g)].map((match) => match.index + 1);
  const start = breaks.filter((index) => index <= at).at(-1) ?? 0;
  const end = breaks.find((index) => index > at) ?? answer.length;
  return { start, end };
}
