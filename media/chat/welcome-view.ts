import '@vscode-elements/elements/dist/vscode-button';
import { bytesText, type ChatWelcome, countText } from '../../protocol';
import { element, icon } from './dom';
import type { Host } from './host';

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

/** What will be read. */
export function foldersText({ folders, files }: ChatWelcome): string {
  if (!folders.length) return 'No folder is open. Longview reads the files of the open folder.';
  const names = folders.length < 4 ? folders.join(', ') : `${countText(folders.length)} folders`;
  return files === undefined
    ? `Reads the files of ${names} that .gitignore leaves in.`
    : `Reads from ${countText(files)} files of ${names}: all of them, or the ones that matter for the question.`;
}

/** Which model answers, and whether it is here. */
export function modelText({ model, device }: ChatWelcome): string {
  if (!model) return 'The model runs on this machine.';
  const where = device === undefined ? 'on this machine' : `on ${device}`;
  if (model.state === 'ready') return `${model.name} answers ${where}.`;
  return `${model.name} answers ${where}. It is not here yet (${bytesText(model.bytes)}); Longview asks before it downloads.`;
}

/** The model in a few words, for the foot of the question box. */
export function modelLabel({ model }: ChatWelcome): string {
  return model?.name ?? '';
}
