import { defines, IN_PATH, IN_TEXT, textLength, weightOf } from '../index/file-terms';
import { NO_TERMS, type TermStore } from '../index/term-store';

/** BM25's own parameters: how soon repetition saturates, and how much longer files are held back. */
const SATURATION = 1.5;
const LENGTH_SHARE = 0.6;
/** What a term in the path gains, where one mention in a text of usual length gains 1. */
const PATH_GAIN = 1.5;

export interface TextScores {
  /** One a file; 0 where the file has none of the terms. */
  scores: Float64Array;
  /** Numbers of the files that define one of the names. */
  defining: number[];
}

/**
 * BM25 of each file for terms with boosts, over text and path.
 * @param files references to the terms of each
 * @param names hashes of names that the question asks for
 */
export function textScores(
  terms: TermStore,
  files: Int32Array,
  boosts: ReadonlyMap<number, number>,
  names: readonly number[],
): TextScores {
  const hashes = Int32Array.from(boosts.keys());
  const found = lookThrough(terms, files, hashes, names);
  const rarity = (containing: Uint32Array): number[] =>
    [...boosts.values()].map((boost, term) => boost * idf(files.length, containing[term] ?? 0));
  const inTexts = rarity(found.containing);
  const inPaths = rarity(found.inPaths);
  const meanLength = Math.max(
    1,
    found.lengths.reduce((sum, length) => sum + length, 0) / Math.max(1, files.length),
  );
  const scores = new Float64Array(files.length);
  for (let file = 0; file < files.length; file++) {
    const norm =
      SATURATION * (1 - LENGTH_SHARE + (LENGTH_SHARE * (found.lengths[file] as number)) / meanLength);
    let score = 0;
    for (let term = 0; term < hashes.length; term++) {
      const weight = found.weights[file * hashes.length + term] as number;
      if (weight === 0) continue;
      const inText = weight & IN_TEXT;
      score += ((inTexts[term] as number) * inText * (SATURATION + 1)) / (inText + norm);
      if (weight & IN_PATH) score += (inPaths[term] as number) * PATH_GAIN;
    }
    scores[file] = score;
  }
  return { scores, defining: found.defining };
}

/** One pass over the terms of all files. */
function lookThrough(terms: TermStore, files: Int32Array, hashes: Int32Array, names: readonly number[]) {
  const weights = new Uint8Array(files.length * hashes.length);
  const lengths = new Uint32Array(files.length);
  const containing = new Uint32Array(hashes.length);
  const inPaths = new Uint32Array(hashes.length);
  const defining: number[] = [];
  files.forEach((reference, file) => {
    if (reference === NO_TERMS) return;
    const words = terms.wordsOf(reference);
    const at = terms.placeOf(reference);
    lengths[file] = textLength(words, at);
    for (let term = 0; term < hashes.length; term++) {
      const weight = weightOf(words, at, hashes[term] as number);
      if (weight === 0) continue;
      weights[file * hashes.length + term] = weight;
      containing[term] = (containing[term] as number) + 1;
      if (weight & IN_PATH) inPaths[term] = (inPaths[term] as number) + 1;
    }
    if (names.some((name) => defines(words, at, name))) defining.push(file);
  });
  return { weights, lengths, containing, inPaths, defining };
}

function idf(files: number, containing: number): number {
  return Math.log(1 + (files - containing + 0.5) / (containing + 0.5));
}
