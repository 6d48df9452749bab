/** Something of the workspace that could not be read. Reported in words; the rest of the work goes on. */
export interface WorkspaceProblem {
  /** Absolute path of the root concerned; empty when none is. */
  root: string;
  message: string;
}

export type ReportProblem = (problem: WorkspaceProblem) => void;

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
