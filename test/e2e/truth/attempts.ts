import { AssertionError } from 'node:assert/strict';

/**
 * Runs `attempt`, and once more, about another fact, when it found the answer wrong. A model of 0.5B parameters is
 * wrong about one planted fact in twenty; an engine that only echoes is wrong about every one. A failure that is
 * not about the answer is not tried again.
 * @throws what the second attempt threw
 */
export async function trueWithinTwoAttempts(attempt: () => Promise<void>): Promise<void> {
  try {
    await attempt();
  } catch (error) {
    if (!(error instanceof AssertionError)) throw error;
    process.stdout.write(`      a wrong answer, asking about another fact: ${error.message}\n`);
    await attempt();
  }
}
