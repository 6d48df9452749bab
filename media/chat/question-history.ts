/** The questions of a conversation, walked with the arrow keys. */
export class QuestionHistory {
  private questions: string[] = [];
  /** Steps back from the end; 0: the question being written. */
  private steps = 0;

  set(questions: string[]): void {
    this.questions = questions;
    this.steps = 0;
  }

  /** The question before the one shown; undefined at the oldest. */
  older(): string | undefined {
    if (this.steps >= this.questions.length) return undefined;
    this.steps++;
    return this.questions.at(-this.steps);
  }

  /** The question after the one shown, at last an empty one; undefined when nothing was recalled. */
  newer(): string | undefined {
    if (this.steps === 0) return undefined;
    this.steps--;
    return this.steps === 0 ? '' : this.questions.at(-this.steps);
  }

  /** True while the arrow keys have brought back a question. */
  get isRecalled(): boolean {
    return this.steps > 0;
  }
}
