import * as vscode from 'vscode';
import type { Attachment, Completion, Completions } from '../../../protocol';
import { openEditorPath, pathOfUri } from '../editor-actions';
import { type Problem, problemsSummary, problemsText } from './problems-text';

const SEVERITIES: Partial<Record<vscode.DiagnosticSeverity, Problem['severity']>> = {
  [vscode.DiagnosticSeverity.Error]: 'error',
  [vscode.DiagnosticSeverity.Warning]: 'warning',
  [vscode.DiagnosticSeverity.Information]: 'info',
};

/** What of the Problems panel can be attached. */
export function completeProblems(): Completions {
  const open = openEditorPath();
  const items = [
    ...(open === undefined ? [] : [item('file', `In ${open}`)]),
    item('all', 'In all files of the workspace'),
  ];
  return { items };
}

function item(scope: 'file' | 'all', label: string): Completion {
  return {
    choice: { kind: 'problems', scope },
    label,
    detail: problemsSummary(problemsIn(scope)) || 'none',
    icon: 'warning',
    insert: '@problems',
  };
}

/** @throws when there are none */
export function attachmentOfProblems(scope: 'file' | 'all'): Attachment {
  const problems = problemsIn(scope);
  const where = scope === 'file' ? (openEditorPath() ?? 'the open editor') : 'the workspace';
  if (problems.length === 0) throw new Error(`The editor shows no problems in ${where}.`);
  return {
    kind: 'excerpt',
    source: 'problems',
    label: `${problemsSummary(problems)} in ${where}`,
    text: problemsText(problems),
  };
}

/** Problems in files of the open folders; hints are not problems. */
function problemsIn(scope: 'file' | 'all'): Problem[] {
  const open = openEditorPath();
  return vscode.languages.getDiagnostics().flatMap(([uri, diagnostics]) => {
    const path = pathOfUri(uri);
    if (path === undefined || (scope === 'file' && path !== open)) return [];
    return diagnostics.flatMap((diagnostic) => problemOf(path, diagnostic));
  });
}

function problemOf(path: string, diagnostic: vscode.Diagnostic): Problem[] {
  const severity = SEVERITIES[diagnostic.severity];
  if (!severity) return [];
  const { start } = diagnostic.range;
  const code = typeof diagnostic.code === 'object' ? diagnostic.code.value : diagnostic.code;
  return [
    {
      path,
      line: start.line + 1,
      column: start.character + 1,
      severity,
      message: diagnostic.message,
      source: [diagnostic.source, code].filter((part) => part !== undefined).join(' '),
    },
  ];
}
