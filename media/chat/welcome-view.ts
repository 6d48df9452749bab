import '@vscode-elements/elements/dist/vscode-button';
import type { ChatWelcome } from '../../protocol';
import { element, icon } from './dom';
import type { Host } from './host';
import { foldersText, modelText } from './welcome-words';

/** The empty view: what the next question will read, and which model answers it. */
export class WelcomeView {
  private readonly facts = element('div', { class: 'welcome-facts' });
  readonly root = element(
    'div',
    { class: 'welcome' },
    element('h2', {}, 'Ask your whole repository'),
    this.facts,
  );

  constructor(private readonly host: Host) {}

  show(welcome: ChatWelcome): void {
    this.facts.replaceChildren(
      fact('folder-opened', foldersText(welcome)),
      fact('chip', modelText(welcome)),
      fact('lock', 'Nothing leaves this machine.'),
      ...(welcome.problem === undefined ? [] : [fact('warning', welcome.problem)]),
      ...(welcome.folders.length ? [] : [this.openFolder()]),
    );
  }

  private openFolder(): HTMLElement {
    const button = element('vscode-button', {}, 'Open Folder');
    button.addEventListener('click', () => this.host.send({ kind: 'openFolder' }));
    return button;
  }
}

function fact(iconName: string, text: string): HTMLElement {
  return element('div', { class: 'fact' }, icon(iconName), element('span', {}, text));
}
