import assert from 'node:assert/strict';
import type { Citation } from '../../../protocol';
import type { PlantedRepository } from './planted-repository';

/** The parts of an answer that can be true or false. */
export interface CheckedAnswer {
  answer: string;
  citations: Pick<Citation, 'path' | 'startLine' | 'endLine' | 'verified'>[];
}

/**
 * Holds only for an answer that found the planted fact: it says the value, none of the values that look like
 * it, and a verified citation covers the place. An echo of the question lacks the value; an echo of the
 * prompt brings the decoys along.
 * @throws AssertionError that says what is missing
 */
export function assertTrueAnswer({ answer, citations }: CheckedAnswer, planted: PlantedRepository): void {
  const said = new Set(answer.replaceAll(/(?<=\d)[,_](?=\d)/g, '').match(/\d{5,}/g));
  assert.ok(said.has(planted.value), `the answer does not say ${planted.value}:\n${answer}`);
  const recited = planted.decoys.filter((decoy) => said.has(decoy));
  assert.deepEqual(recited, [], `the answer also says values of other files:\n${answer}`);
  const proof = citations.find(
    ({ path, startLine, endLine, verified }) =>
      verified && path === planted.path && startLine <= planted.line && planted.line <= endLine,
  );
  assert.ok(
    proof,
    `no verified citation covers ${planted.path}:${planted.line}, only ${JSON.stringify(citations)}`,
  );
}
