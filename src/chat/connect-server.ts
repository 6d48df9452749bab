import * as vscode from 'vscode';
import { ManifestSync, Overlay, PROTOCOL_VERSION } from '../../protocol';
import { cacheDirOf, type Settings } from '../config';
import type { ExcludeSetting } from '../workspace/vscode-workspace';
import type { ConnectedServer } from './server-session';

/** What a server is started with. */
export interface ServerSurroundings {
  extensionUri: vscode.Uri;
  log: vscode.LogOutputChannel;
  settings: () => Settings;
  exclude: ExcludeSetting;
}

/**
 * Starts a server with the settings of now, and follows the files of the window for it. The language client is
 * loaded here, on first use, since it is most of the extension's code.
 */
export async function connectServer(surroundings: ServerSurroundings): Promise<ConnectedServer> {
  const { extensionUri, log, settings, exclude } = surroundings;
  const { LanguageClientConnection } = await import('../client/language-client-connection');
  const { WorkspaceSync } = await import('../workspace/workspace-sync');
  const { VscodeWorkspace } = await import('../workspace/vscode-workspace');
  const connection = new LanguageClientConnection({
    serverPath: vscode.Uri.joinPath(extensionUri, 'out', 'server.js').fsPath,
    initialization: {
      protocolVersion: PROTOCOL_VERSION,
      cacheDir: cacheDirOf(settings()),
      cpuThreads: settings().cpuThreads,
    },
    log,
  });
  const sync = new WorkspaceSync({
    send: (params) => connection.request(ManifestSync, params),
    sendOverlay: (params) => connection.notify(Overlay, params),
    report: ({ root, message }) => log.warn(root === '' ? message : `${root}: ${message}`),
  });
  const workspace = new VscodeWorkspace(sync, exclude);
  return {
    connection,
    files: {
      get files() {
        return sync.files;
      },
      flush: () => sync.flush(),
      resend: () => sync.resend(),
      dispose() {
        workspace.dispose();
        sync.dispose();
      },
    },
  };
}
