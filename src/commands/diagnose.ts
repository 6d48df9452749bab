import * as vscode from 'vscode';

const SCHEME = 'longview-report';

/** What the report says of the editor, around what the server says of itself. */
export interface DiagnoseFacts {
  extensionVersion: string;
  /** Every setting as it is used. */
  settings: Record<string, unknown>;
  /** Problems with settings, in words. */
  problems: string[];
  serverReport(): Promise<string>;
}

/** Opens a read-only report for people who look into a problem. It holds no source text and no questions. */
export class DiagnoseCommand implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly registration = vscode.workspace.registerTextDocumentContentProvider(SCHEME, this);

  constructor(private readonly facts: () => DiagnoseFacts) {}

  async run(): Promise<void> {
    // A new address each time, since the editor keeps the text of an address that is open.
    const uri = vscode.Uri.from({ scheme: SCHEME, path: 'Longview Report.md', query: String(Date.now()) });
    await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(uri), { preview: true });
  }

  async provideTextDocumentContent(): Promise<string> {
    const facts = this.facts();
    return [
      (await serverPart(facts)).trimEnd(),
      '## Editor',
      table({
        extension: facts.extensionVersion,
        editor: `${vscode.env.appName} ${vscode.version}`,
        remote: vscode.env.remoteName ?? 'no',
        system: `${process.platform} ${process.arch}, Node ${process.versions.node}`,
        folders: String(vscode.workspace.workspaceFolders?.length ?? 0),
        trusted: vscode.workspace.isTrusted ? 'yes' : 'no',
      }),
      '## Settings',
      table(
        Object.fromEntries(
          Object.entries(facts.settings).map(([key, value]) => [key, JSON.stringify(value)]),
        ),
      ),
      ...facts.problems,
      '',
    ].join('\n\n');
  }

  dispose(): void {
    this.registration.dispose();
  }
}

async function serverPart(facts: DiagnoseFacts): Promise<string> {
  try {
    return await facts.serverReport();
  } catch (error) {
    return `# Longview\n\nThe server did not report: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function table(rows: Record<string, string>): string {
  return Object.entries(rows)
    .map(([name, value]) => `- ${name}: ${value}`)
    .join('\n');
}
