import * as vscode from 'vscode';
import type { WorkspaceRoot } from '../../protocol';
import type { ChangeKind } from './pending-changes';
import { nameRoots } from './roots';
import type { WorkspaceSync } from './workspace-sync';

export interface ExcludeSetting {
  /** Globs in the syntax of `.gitignore`. */
  get(): readonly string[];
  readonly onDidChange: vscode.Event<unknown>;
}

/**
 * Feeds a `WorkspaceSync` from the editor: folders, file events and unsaved text. It only passes events
 * on; listing and sending happen elsewhere. The one file of `src/workspace` that knows the editor.
 */
export class VscodeWorkspace implements vscode.Disposable {
  private readonly subscriptions: vscode.Disposable[];
  private watchers: vscode.Disposable[] = [];

  constructor(
    private readonly sync: WorkspaceSync,
    private readonly exclude: ExcludeSetting,
  ) {
    this.subscriptions = [
      vscode.workspace.onDidChangeWorkspaceFolders(() => this.open()),
      this.exclude.onDidChange(() => this.open()),
      vscode.workspace.onDidChangeTextDocument(({ document }) => this.passText(document)),
      vscode.workspace.onDidSaveTextDocument((document) => this.passText(document)),
      vscode.workspace.onDidOpenTextDocument((document) => this.passText(document)),
      vscode.workspace.onDidCloseTextDocument((document) => this.dropText(document)),
    ];
    this.open();
    for (const document of vscode.workspace.textDocuments) this.passText(document);
  }

  dispose(): void {
    for (const item of [...this.subscriptions, ...this.watchers]) item.dispose();
  }

  private open(): void {
    const roots = currentRoots();
    for (const watcher of this.watchers) watcher.dispose();
    this.watchers = roots.map((root) => this.watch(root));
    this.sync.setScope({ roots, exclude: this.exclude.get() });
  }

  private watch(root: WorkspaceRoot): vscode.Disposable {
    const pattern = new vscode.RelativePattern(vscode.Uri.file(root.path), '**/*');
    const watcher = vscode.workspace.createFileSystemWatcher(pattern);
    const pass = (kind: ChangeKind) => (uri: vscode.Uri) => this.sync.noteChange(kind, uri.fsPath);
    watcher.onDidCreate(pass('created'));
    watcher.onDidChange(pass('changed'));
    watcher.onDidDelete(pass('deleted'));
    return watcher;
  }

  private passText(document: vscode.TextDocument): void {
    if (document.uri.scheme !== 'file') return;
    this.sync.setOverlay(document.uri.fsPath, document.isDirty ? () => document.getText() : null);
  }

  private dropText(document: vscode.TextDocument): void {
    if (document.uri.scheme === 'file') this.sync.setOverlay(document.uri.fsPath, null);
  }
}

/** The workspace folders that lie on a real file system, with names that are unique. */
function currentRoots(): WorkspaceRoot[] {
  const folders = vscode.workspace.workspaceFolders ?? [];
  return nameRoots(
    folders
      .filter((folder) => folder.uri.scheme === 'file')
      .map((folder) => ({ path: folder.uri.fsPath, name: folder.name })),
  );
}
