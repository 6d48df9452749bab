import { stat } from 'node:fs/promises';
import * as vscode from 'vscode';
import type { Attachment } from '../../../protocol';
import { attachmentOfFile } from '../editor-actions';

/**
 * Attachments of what was dragged here.
 * @throws when one of them is no file or folder of the workspace
 */
export async function attachmentsOfDropped(addresses: readonly string[]): Promise<Attachment[]> {
  const uris = addresses.map(fileUriOf);
  if (uris.length === 0)
    throw new Error('Nothing that was dropped is a file of this workspace. Drag from the explorer or a tab.');
  return Promise.all(uris.map(attachmentOfPath));
}

/** Attachments of pasted text where every line is the path of a file or folder of the workspace; else none. */
export async function attachmentsOfPasted(text: string): Promise<Attachment[]> {
  try {
    return await Promise.all(
      text
        .trim()
        .split(/\r?\n/)
        .map((line) => attachmentOfPath(fileUriOf(line))),
    );
  } catch {
    // Then it is text like any other.
    return [];
  }
}

/** In a remote window the page names files of the remote machine, which are this process's own. */
function fileUriOf(address: string): vscode.Uri {
  if (!/^[a-z][a-z0-9+.-]+:\/\//i.test(address)) return vscode.Uri.file(address);
  const uri = vscode.Uri.parse(address, true);
  if (uri.scheme === 'file') return uri;
  if (uri.scheme === 'vscode-remote') return vscode.Uri.file(uri.path);
  throw new Error(`${address} is no file on disk.`);
}

/** @throws when it is no file or folder of the workspace */
export async function attachmentOfPath(uri: vscode.Uri): Promise<Attachment> {
  const isFolder = (await stat(uri.fsPath)).isDirectory();
  const attachment = attachmentOfFile(uri);
  return isFolder && attachment.kind === 'file' ? { kind: 'folder', path: attachment.path } : attachment;
}
