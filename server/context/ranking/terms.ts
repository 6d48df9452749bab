/** Words that questions are made of and that say nothing about where the answer lies. */
const QUESTION_WORDS = new Set(
  (
    'a an and are as at be been by can could did do does for from get give has have how i in into is it its me ' +
    'my of on or please repo repository code show should tell that the their them there these they this those ' +
    'to used uses was we were what when where which who why will with would you your'
  ).split(' '),
);

const IDENTIFIER = /[\p{L}\p{N}_$]+/gu;
const WORD_BOUNDARY = /_+|\$+|(?<=\p{Ll}|\p{N})(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})|(?<=\p{L})(?=\p{N})/u;
/** An underscore, a digit after a letter, or a capital past the first letter of a word. */
const NAME_SHAPE = /\p{L}[\p{L}\p{N}]*[_$\d]|[\p{L}\p{N}]\p{Lu}/u;
const MAX_TERM_CHARS = 80;

/**
 * Search terms of a text, in lower case: each identifier whole, and the words of its camelCase or snake_case.
 * Runs of letters in scripts without spaces stay whole.
 */
export function termsOf(text: string): string[] {
  const terms: string[] = [];
  for (const [identifier] of text.matchAll(IDENTIFIER)) {
    if (identifier.length > MAX_TERM_CHARS) continue;
    const whole = identifier.toLowerCase();
    terms.push(whole);
    if (whole === identifier && !identifier.includes('_') && !/\d/.test(identifier)) continue;
    for (const part of identifier.split(WORD_BOUNDARY)) {
      const word = part.toLowerCase();
      if (word.length > 1 && word !== whole) terms.push(word);
    }
  }
  return terms;
}

/** A term to search for, and whether it is the name of something in code, which points at one place. */
export interface QuestionTerm {
  term: string;
  isName: boolean;
}

/** Terms of a question without the words that only make it a question; a plural is looked for as singular too. */
export function questionTerms(question: string): QuestionTerm[] {
  const found = new Map<string, boolean>();
  for (const [identifier] of question.matchAll(IDENTIFIER)) {
    const isName = NAME_SHAPE.test(identifier);
    for (const term of termsOf(identifier)) {
      const wholeName = isName && term === identifier.toLowerCase();
      found.set(term, wholeName || found.get(term) === true);
      if (!wholeName && !QUESTION_WORDS.has(term) && /[^s]s$/.test(term)) found.set(term.slice(0, -1), false);
    }
  }
  const all = [...found].map(([term, isName]) => ({ term, isName }));
  const telling = all.filter(({ term, isName }) => isName || !QUESTION_WORDS.has(term));
  return telling.length > 0 ? telling : all;
}
