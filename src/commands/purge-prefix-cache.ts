import * as vscode from 'vscode';
import { bytesText } from '../../protocol';
import type { ServerSession } from '../session/server-session';

/** Removes what was computed of repositories, and says how much that was. */
export async function purgePrefixCache(server: Pick<ServerSession, 'purgePrefixCache'>): Promise<void> {
  const bytes = await server.purgePrefixCache();
  void vscode.window.showInformationMessage(
    `The prefix cache is empty; ${bytesText(bytes)} were on disk. The next question reads the repository again.`,
  );
}
