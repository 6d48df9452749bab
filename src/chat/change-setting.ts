import * as vscode from 'vscode';
import type { Settings } from '../config';

/** Changes a setting of Longview where it is set now, else for the user. */
export async function changeSetting<Key extends keyof Settings>(
  key: Key,
  value: Settings[Key],
): Promise<void> {
  const configuration = vscode.workspace.getConfiguration('longview');
  const isOfWorkspace = configuration.inspect(key)?.workspaceValue !== undefined;
  const { Global, Workspace } = vscode.ConfigurationTarget;
  await configuration.update(key, value, isOfWorkspace ? Workspace : Global);
}
