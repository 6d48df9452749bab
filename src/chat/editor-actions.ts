import path from 'node:path';
import * as vscode from 'vscode';
import type { Attachment, SymbolPlace, WorkspaceRoot } from '../../protocol';
import { nameRoots } from '../workspace/roots';
import { nearestNamed } from './nearest-named';
import { absolutePathOf, repoPathOf } from './repo-paths';

/** The folders of the window that lie on disk, named as in the manifest. */
function workspaceRoots(): WorkspaceRoot[] {
  const folders = vscode.workspace.workspaceFolders ?? [];
  const onDisk = folders.filter(({ uri }) => uri.scheme === 'file');
  return nameRoots(onDisk.map(({ uri, name }) => ({ path: uri.fsPath, name })));
}

/** The place on disk of a file that questions name so; undefined outside of every folder. */
export function fileUri(repoPath: string): vscode.Uri | undefined {
  const absolute = absolutePathOf(workspaceRoots(), repoPath);
  return absolute === undefined ? undefined : vscode.Uri.file(absolute);
}

/** The file of the workspace in front of the user, as the server names it; undefined when there is none. */
export function openEditorPath(): string | undefined {
  const document = vscode.window.activeTextEditor?.document;
  if (document?.uri.scheme !== 'file') return undefined;
  return repoPathOf(workspaceRoots(), document.uri.fsPath);
}

/** Shows lines `startLine` to `endLine` (from 1, both included) of a file of the workspace. */
export async function openPlace(repoPath: string, startLine: number, endLine: number): Promise<void> {
  const absolute = absolutePathOf(workspaceRoots(), repoPath);
  if (absolute === undefined) {
    throw new Error(`${repoPath} is not in an open folder.`);
  }
  const document = await vscode.workspace.openTextDocument(vscode.Uri.file(absolute));
  const last = document.lineAt(Math.min(endLine, document.lineCount) - 1);
  const first = Math.min(startLine, document.lineCount) - 1;
  // The cursor at the start keeps the first line in view when the range is long.
  const selection = new vscode.Selection(last.range.end, new vscode.Position(first, 0));
  await vscode.window.showTextDocument(document, { selection, preview: true });
}

/**
 * Shows where a symbol is defined; with several places, the one that is chosen. The text may have been edited since the
 * place was found: the nearest line that holds the name is the one.
 */
export async function openSymbol(places: readonly SymbolPlace[]): Promise<void> {
  const place = places.length > 1 ? await pickPlace(places) : places[0];
  if (!place) return;
  const absolute = absolutePathOf(workspaceRoots(), place.path);
  if (absolute === undefined) throw new Error(`${place.path} is not in an open folder.`);
  const document = await vscode.workspace.openTextDocument(vscode.Uri.file(absolute));
  const found = nearestNamed(document.getText().split('\n'), place);
  if (!found) throw new Error(`${place.path} does not hold ${place.symbol} any more.`);
  const start = new vscode.Position(found.line, found.column);
  const selection = new vscode.Selection(start, start.translate(0, place.symbol.length));
  await vscode.window.showTextDocument(document, { selection, preview: true });
}

async function pickPlace(places: readonly SymbolPlace[]): Promise<SymbolPlace | undefined> {
  const items = places.map((place) => ({ label: `${place.path}:${place.line}`, place }));
  const title = `Definitions of ${places[0]?.symbol ?? ''}`;
  return (await vscode.window.showQuickPick(items, { title }))?.place;
}

/** Shows a file of the workspace from its start. */
export async function openFile(repoPath: string): Promise<void> {
  const absolute = absolutePathOf(workspaceRoots(), repoPath);
  if (absolute === undefined) throw new Error(`${repoPath} is not in an open folder.`);
  await vscode.commands.executeCommand('vscode.open', vscode.Uri.file(absolute), { preview: true });
}

/** Puts `text` in place of the selection of the active editor, and moves there. */
export async function insertAtCursor(text: string): Promise<void> {
  const editor = vscode.window.activeTextEditor;
  if (!editor)
    throw new Error('No editor is open. Open a file and place the cursor where the code should go.');
  await vscode.window.showTextDocument(editor.document, editor.viewColumn);
  const done = await editor.edit((edit) => {
    for (const selection of editor.selections) edit.replace(selection, text);
  });
  if (!done) throw new Error(`The code could not be inserted: ${editor.document.fileName} is read-only.`);
}

/**
 * What of the active editor would be attached: its selection, else the whole file.
 * @throws when no editor is open, or nothing is selected in a file outside of the workspace.
 */
export function attachmentOfEditor(): Attachment {
  const editor = vscode.window.activeTextEditor;
  if (!editor) throw new Error('No editor is open. Open the file that should be attached.');
  return editor.selection.isEmpty ? attachmentOfFile(editor.document.uri) : selectionOf(editor);
}

/** @throws when no editor is open, or nothing is selected in it. */
export function attachmentOfSelection(): Attachment {
  const editor = vscode.window.activeTextEditor;
  if (!editor) throw new Error('No editor is open. Open a file and select what the question is about.');
  if (editor.selection.isEmpty)
    throw new Error(`Nothing is selected in ${path.basename(editor.document.fileName)}.`);
  return selectionOf(editor);
}

function selectionOf({ document, selection }: vscode.TextEditor): Attachment {
  const name = pathOfUri(document.uri) ?? path.basename(document.fileName);
  // A selection that ends before the first character of a line does not take that line in.
  const endsBefore = selection.end.character === 0 && selection.end.line > selection.start.line;
  return {
    kind: 'selection',
    path: name,
    startLine: selection.start.line + 1,
    endLine: selection.end.line + (endsBefore ? 0 : 1),
    text: document.getText(selection),
  };
}

/** @throws when the file is not in an open folder. */
export function attachmentOfFile(uri: vscode.Uri): Attachment {
  const name = pathOfUri(uri);
  if (name !== undefined) return { kind: 'file', path: name };
  throw new Error(
    `${path.basename(uri.path)} is not in an open folder. Select the text that matters; a selection can be attached from any file.`,
  );
}

/** How questions name a file or a folder; undefined for one that is not in an open folder. */
export function pathOfUri(uri: vscode.Uri): string | undefined {
  return uri.scheme === 'file' ? repoPathOf(workspaceRoots(), uri.fsPath) : undefined;
}
