import * as vscode from 'vscode';
import { ManifestSync, Overlay } from '../../protocol';
import { LanguageClientConnection } from '../client/language-client-connection';
import { initializationOf, type Settings } from '../config';
import { listByThread } from '../workspace/list-by-thread';
import { type ExcludeSetting, VscodeWorkspace } from '../workspace/vscode-workspace';
import { WorkspaceSync } from '../workspace/workspace-sync';
import type { ConnectedServer } from './server-session';

/** What a server is started with. */
export interface ServerSurroundings {
  extensionUri: vscode.Uri;
  log: vscode.LogOutputChannel;
  settings: () => Settings;
  exclude: ExcludeSetting;
}

/** Makes a connection that starts a server with the settings of now, and follows the files of the window for it. */
export function connectServer(surroundings: ServerSurroundings): ConnectedServer {
  const { extensionUri, log, settings, exclude } = surroundings;
  const program = (name: string): string => vscode.Uri.joinPath(extensionUri, 'out', name).fsPath;
  const connection = new LanguageClientConnection({
    serverPath: program('server.js'),
    initialization: initializationOf(settings()),
    log,
  });
  const sync = new WorkspaceSync({
    send: (params) => connection.request(ManifestSync, params),
    sendOverlay: (params) => connection.notify(Overlay, params),
    report: ({ root, message }) => log.warn(root === '' ? message : `${root}: ${message}`),
    list: listByThread(program('list-worker.js')),
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
