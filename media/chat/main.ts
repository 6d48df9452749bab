import './chat.css';
import type { ChatHostMessage } from '../../protocol';
import { Announcer } from './announcer';
import { Composer } from './composer';
import { element } from './dom';
import { Host } from './host';
import { parseHostMessage } from './host-messages';
import { Transcript } from './transcript';
import { WelcomeView } from './welcome-view';
import { modelLabel } from './welcome-words';

/** The page of the chat view: draws what the extension says, and passes on what the user does. */
class ChatPage {
  private readonly host = new Host();
  private readonly transcript = new Transcript(this.host);
  private readonly welcome = new WelcomeView(this.host);
  private readonly composer = new Composer(this.host);
  private readonly announcer = new Announcer();

  start(): void {
    this.welcome.root.hidden = true;
    const parts = [this.welcome, this.transcript, this.composer, this.announcer];
    document.body.append(element('main', {}, ...parts.map(({ root }) => root)));
    window.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
      const message = parseHostMessage(data);
      if (message) this.receive(message);
    });
    window.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') this.composer.stop();
    });
    window.addEventListener('focus', () => {
      if (document.activeElement === document.body) this.composer.focus();
    });
    this.host.send({ kind: 'sync' });
  }

  private receive(message: ChatHostMessage): void {
    switch (message.kind) {
      case 'conversation':
        this.transcript.show(message.conversation);
        this.composer.setAttachments(message);
        {
          this.refresh();
          return;
        }
      case 'exchange': {
        this.updateExchange(message);
        return;
      }
      case 'activity':
        return this.transcript.find(message.id)?.progress(message.activity);
      case 'text':
        // A lost piece: ask for the whole.
        if (!this.transcript.find(message.id)?.grow(message.offset, message.text)) {
          this.host.send({ kind: 'sync' });
        }
        return;
      case 'attachments': {
        this.composer.setAttachments(message);
        return;
      }
      case 'refused':
        this.composer.refuse(message);
        return;
      case 'completions':
        this.composer.takeCompletions(message);
        return;
      case 'welcome':
        this.welcome.show(message.welcome);
        {
          this.composer.setModel(modelLabel(message.welcome));
          return;
        }
      case 'focus': {
        this.composer.focus();
        return;
      }
      case 'reveal':
        return this.transcript.find(message.id)?.reveal();
    }
  }

  private updateExchange({ exchange }: Extract<ChatHostMessage, { kind: 'exchange' }>): void {
    const view = this.transcript.find(exchange.id);
    this.announcer.follow(view?.current, exchange);
    view?.update(exchange);
    this.refresh();
  }

  private refresh(): void {
    const { exchanges } = this.transcript;
    this.welcome.root.hidden = exchanges.length > 0;
    this.transcript.root.hidden = exchanges.length === 0;
    this.composer.setRunning(exchanges.some(({ phase }) => phase === 'running'));
    this.composer.setQuestions(exchanges.map(({ question }) => question));
  }
}

new ChatPage().start();
