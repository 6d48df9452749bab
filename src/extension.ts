import * as vscode from 'vscode';
import { ChatSession } from './chat/chat-session';
import { CHAT_VIEW, ChatViewProvider } from './chat/chat-view-provider';
import { ConversationStore } from './chat/conversation-store';
import { openEditorPath } from './chat/editor-actions';
import { Mentions } from './chat/mentions/mentions';
import { Terminals } from './chat/mentions/terminals';
import { WelcomeSource } from './chat/welcome';
import { chatCommands } from './commands/chat-commands';
import { contextCommands } from './commands/context-commands';
import { DiagnoseCommand } from './commands/diagnose';
import { downloadModel } from './commands/download-model';
import { purgePrefixCache } from './commands/purge-prefix-cache';
import { registerCommands } from './commands/register-commands';
import { askOptionsOf, LiveSettings, warmthOf } from './config';
import { ChoicesStore } from './context-view/choices-store';
import { ContextView } from './context-view/context-view';
import { ServerSession } from './session/server-session';
import { WarmStart } from './session/warm-start';
import { showSettingProblems } from './status/setting-problems';
import { StatusItem } from './status/status-item';
import { StatusPresenter } from './status/status-presenter';

/** Puts the extension together. Nothing is started: the server comes with the first use of the view or a command. */
export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel('Longview', { log: true });
  const warn = (message: string): void => log.warn(message);
  const settings = new LiveSettings(vscode.workspace, (problems) => showSettingProblems(problems, log));
  const exclude = {
    get: () => settings.value.exclude,
    onDidChange: (listener: (change: unknown) => void) => settings.onDidChange('longview.exclude', listener),
  };
  const { extensionUri } = context;
  const choices = new ChoicesStore(context.workspaceState, warn);
  const server = new ServerSession(
    async () => {
      // Most of the code, in a bundle of its own: the start of the editor does not wait for it.
      const { connectServer } = await import('./session/connect-server');
      return connectServer({ extensionUri, log, settings: () => settings.value, exclude });
    },
    () => askOptionsOf(settings.value),
    warn,
    () => warmthOf(settings.value),
    openEditorPath,
    () => choices.current,
  );
  const session = new ChatSession(server, new ConversationStore(context.workspaceState, warn), warn);
  const welcome = new WelcomeSource(
    {
      folders: () => (vscode.workspace.workspaceFolders ?? []).map(({ name }) => name),
      wantedModel: () => settings.value.model,
      engine: () => server.status,
      listFiles: () => server.listFiles(),
      listModels: () => server.listModels(),
    },
    warn,
  );
  const contextView = new ContextView(server, session, choices, warn);
  const terminals = new Terminals(warn);
  const mentions = new Mentions(server, terminals, warn);
  const view = new ChatViewProvider(extensionUri, session, mentions, welcome, log);
  const diagnose = new DiagnoseCommand(() => ({
    extensionVersion: (context.extension.packageJSON as { version: string }).version,
    settings: { ...settings.value },
    problems: settings.problems.map(({ message }) => message),
    serverReport: () => server.diagnose(),
  }));
  const commands = {
    ...chatCommands(session, view),
    ...contextCommands(contextView.model, contextView.tree, choices),
    downloadModel: () => downloadModel(server),
    restartEngine: () => server.restart(),
    purgePrefixCache: () => purgePrefixCache(server),
    diagnose: () => diagnose.run(),
    showLog: () => log.show(),
  };
  context.subscriptions.push(
    log,
    settings,
    server,
    session,
    terminals,
    view,
    contextView,
    diagnose,
    new StatusPresenter(new StatusItem('longview.showTtftDetails'), { session, server, welcome, settings }),
    settings.onDidChange('longview', () => welcome.refresh()),
    new WarmStart(server, () => warmthOf(settings.value).enabled && hasFolders(), warn),
    settings.onDidChange('longview', () => void server.settingsChanged()),
    settings.onDidChange('longview', () => contextView.model.noteChange()),
    vscode.workspace.onDidChangeWorkspaceFolders(() => welcome.refresh()),
    vscode.window.registerWebviewViewProvider(CHAT_VIEW, view),
    registerCommands(commands, log),
  );
}

function hasFolders(): boolean {
  return (vscode.workspace.workspaceFolders ?? []).length > 0;
}
