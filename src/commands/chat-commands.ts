import * as vscode from 'vscode';
import type { ChatSession } from '../chat/chat-session';
import type { ChatViewProvider } from '../chat/chat-view-provider';
import { comparableExchange, measuredExchange } from '../chat/conversation';
import { attachmentOfEditor } from '../chat/editor-actions';
import { attachmentOfPath } from '../chat/mentions/dropped';
import type { Commands } from './register-commands';

type ChatCommands = Pick<
  Commands,
  | 'openChat'
  | 'newChat'
  | 'askAboutSelection'
  | 'attachFile'
  | 'stop'
  | 'showTtftDetails'
  | 'compareWithDense'
>;

/** The commands of the conversation. */
export function chatCommands(session: ChatSession, view: ChatViewProvider): ChatCommands {
  return {
    openChat: () => view.focus(),
    newChat: () => {
      session.clear();
      return view.focus();
    },
    askAboutSelection: () => {
      session.attach(attachmentOfEditor());
      return view.focus();
    },
    attachFile: async (uri) => {
      session.attach(uri instanceof vscode.Uri ? await attachmentOfPath(uri) : attachmentOfEditor());
      return view.focus();
    },
    stop: () => session.stop(),
    showTtftDetails: () => {
      const measured = measuredExchange(session.current);
      return measured ? view.reveal(measured.id) : view.focus();
    },
    compareWithDense: async () => {
      await view.focus();
      const answered = comparableExchange(session.current);
      if (answered) await session.compare(answered.id);
    },
  };
}
