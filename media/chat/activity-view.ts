import '@vscode-elements/elements/dist/vscode-progress-bar';
import { type ChatActivity, percentText } from '../../protocol';
import { activityWords } from './activity-words';
import { element } from './dom';

/** Shows what a running exchange does before its first token. */
export class ActivityView {
  private readonly label = element('span', { class: 'activity-words' });
  private readonly percent = element('span', { class: 'activity-percent' });
  private readonly detail = element('div', { class: 'activity-detail' });
  private readonly bar = element('vscode-progress-bar', { 'aria-label': 'Progress' });
  readonly root = element(
    'div',
    { class: 'activity' },
    element('div', { class: 'activity-line' }, this.label, this.percent),
    this.bar,
    this.detail,
  );

  show(activity: ChatActivity): void {
    const { words, fraction, detail } = activityWords(activity);
    this.label.textContent = words;
    this.percent.textContent = fraction === undefined ? '' : percentText(fraction);
    this.detail.textContent = detail ?? '';
    this.bar.setAttribute('aria-label', words);
    if (fraction === undefined) this.bar.removeAttribute('value');
    else this.bar.setAttribute('value', String(Math.floor(fraction * 100)));
  }
}
