/** What the process exits with; the help text lists them. */
export const EXIT = {
  ok: 0,
  /** A failure with a name; the message and the next step are on stderr. */
  failed: 1,
  /** The command line itself is wrong. */
  usage: 2,
  /** Ctrl-C. */
  interrupted: 130,
} as const;

/** The command line is wrong; the message says what. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}
