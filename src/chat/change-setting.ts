import * as vscode from 'vscode';

/** Changes a setting of Longview where it is set now, else for the user. */
export async function changeSetting(key: 'contextTokens' | 'device', value: number | string): Promise<void> {
  const configuration = vscode.workspace.getConfiguration('longview');
  const isOfWorkspace = configuration.inspect(key)?.workspaceValue !== undefined;
  const { Global, Workspace } = vscode.ConfigurationTarget;
  await configuration.update(key, value, isOfWorkspace ? Workspace : Global);
}
