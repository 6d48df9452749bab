import * as vscode from 'vscode';
import type { Attachment, ChatAction, ChatViewMessage } from '../../protocol';
import { changeSetting } from './change-setting';
import type { ChatSession } from './chat-session';
import { exchangeOf } from './conversation';
import { attachmentOfEditor, insertAtCursor, openFile, openPlace, openSymbol } from './editor-actions';
import type { CompletionDesk } from './mentions/completion-desk';
import { attachmentsOfDropped, attachmentsOfPasted } from './mentions/dropped';
import type { Mentions } from './mentions/mentions';

type Message<Kind extends ChatViewMessage['kind']> = Extract<ChatViewMessage, { kind: Kind }>;
type Handlers = { [Kind in ChatViewMessage['kind']]: (message: Message<Kind>) => unknown };

/** What happens on each message of the page. */
export function viewHandlers(
  session: ChatSession,
  mentions: Mentions,
  completions: CompletionDesk,
  sync: () => void,
): Handlers {
  const attachAll = async (attachments: Promise<Attachment[]>): Promise<void> => {
    for (const attachment of await attachments) session.attach(attachment);
  };
  return {
    sync,
    ask: ({ question }) => session.ask(question),
    stop: () => session.stop(),
    newChat: () => session.clear(),
    attach: () => session.attach(attachmentOfEditor()),
    detach: ({ index }) => session.detach(index),
    complete: (message) => completions.answer(message),
    mention: async ({ choice }) => session.attach(await mentions.attachment(choice)),
    drop: ({ uris }) => attachAll(attachmentsOfDropped(uris)),
    pasted: ({ text }) => attachAll(attachmentsOfPasted(text)),
    openSymbol: ({ places }) => openSymbol(places),
    act: ({ id, action }) => actions(session)[action](id),
    openPlace: ({ path, startLine, endLine }) => openPlace(path, startLine, endLine),
    openFile: ({ path }) => openFile(path),
    openFolder: () => run('vscode.openFolder'),
    copy: ({ text }) => vscode.env.clipboard.writeText(text),
    insert: ({ text }) => insertAtCursor(text),
  };
}

/** Runs the handler of `message`. */
export async function handleViewMessage(handlers: Handlers, message: ChatViewMessage): Promise<void> {
  // The table holds, under each kind, the handler of that kind; the compiler cannot follow one key twice.
  const handler = handlers[message.kind] as (message: ChatViewMessage) => unknown;
  await handler(message);
}

/** What the buttons of an exchange do. */
function actions(session: ChatSession): Record<ChatAction, (id: string) => Thenable<unknown>> {
  return {
    retry: (id) => session.retry(id),
    downloadModel: (id) => session.downloadAndAnswer(id, false),
    allowThirdParty: (id) => session.downloadAndAnswer(id, true),
    useSmallerContext: async (id) => {
      const tokens = exchangeOf(session.current, id)?.failure?.contextTokens;
      if (tokens !== undefined) await changeSetting('contextTokens', tokens);
      await session.retry(id);
    },
    useCpu: async (id) => {
      await changeSetting('device', 'cpu');
      await session.retry(id);
    },
    openSettings: () => run('workbench.action.openSettings', '@ext:longview.longview'),
    openFolder: () => run('vscode.openFolder'),
    restartEngine: () => run('longview.restartEngine'),
    showLog: () => run('longview.showLog'),
    allowSecrets: async (id) => {
      await run('longview.allowSecrets', exchangeOf(session.current, id)?.failure?.secrets);
      await session.retry(id);
    },
    compare: (id) => session.compare(id),
  };
}

function run(command: string, ...args: unknown[]): Thenable<unknown> {
  return vscode.commands.executeCommand(command, ...args);
}
