import type { ChatSession } from '../chat/chat-session';
import type { ServerSession } from '../session/server-session';
import type { Disposable } from '../session/signal';
import type { ChoicesStore } from './choices-store';
import { ContextModel, type ContextServer } from './context-model';
import { ContextTree } from './context-tree';
import { followConversation } from './follow-conversation';

/** The Context view with what keeps it up to date: the conversation, the choices, and what the server says. */
export class ContextView implements Disposable {
  readonly model: ContextModel;
  readonly tree: ContextTree;
  private readonly subscriptions: Disposable[];

  constructor(
    server: ContextServer & Pick<ServerSession, 'choicesChanged'>,
    session: ChatSession,
    choices: ChoicesStore,
    warn: (message: string) => void,
  ) {
    this.model = new ContextModel(server, session);
    this.tree = new ContextTree(this.model, choices);
    this.subscriptions = [
      choices.changed.on(() => {
        // What is told again when the server comes back.
        server.choicesChanged().catch((error: unknown) => warn(`The server was not told: ${String(error)}`));
        this.model.noteChange();
      }),
      session.changed.on(followConversation(this.model)),
    ];
  }

  dispose(): void {
    for (const subscription of this.subscriptions) subscription.dispose();
    this.tree.dispose();
    this.model.dispose();
  }
}
