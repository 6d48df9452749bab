import {
  type ChatExchange,
  type ComparedAnswer,
  countText,
  durationText,
  percentText,
  secondsText,
  type TtftRecord,
} from '../../protocol';
import { element } from './dom';
import { renderBlocks } from './markdown';
import { sanitized } from './sanitize';

/** What a comparison is, in place of its question, which stands further up. */
export function comparisonHeading({ question }: ChatExchange): HTMLElement {
  return element(
    'div',
    { class: 'question' },
    element('div', { class: 'question-text' }, `Compared with dense attention: ${question}`),
  );
}

/** The answer that sample attention gave; dense attention's grows beside it, or below where there is no room. */
export function baselineView({ answer }: ComparedAnswer): HTMLElement {
  const blocks = renderBlocks(answer, []).map((html) => element('div', { class: 'block' }, sanitized(html)));
  return element(
    'div',
    { class: 'answer baseline' },
    element('div', { class: 'side-title' }, 'Sample attention'),
    ...blocks,
  );
}

/** Both measurements, a column each; dense attention's is empty until it is there. */
export function figuresView({ record: sample }: ComparedAnswer, dense: TtftRecord | undefined): HTMLElement {
  const row = (name: string, figure: (record: TtftRecord) => string): HTMLElement =>
    element(
      'tr',
      {},
      element('th', { scope: 'row' }, name),
      element('td', {}, figure(sample)),
      element('td', {}, dense ? figure(dense) : '…'),
    );
  return element(
    'table',
    { class: 'stages comparison' },
    element(
      'thead',
      {},
      element(
        'tr',
        {},
        element('td', {}),
        element('th', { scope: 'col' }, 'Sample'),
        element('th', { scope: 'col' }, 'Dense'),
      ),
    ),
    element(
      'tbody',
      {},
      row('First token after', ({ ttftMs }) => secondsText(ttftMs)),
      row('Prefill', ({ stagesMs }) => durationText(stagesMs.prefill)),
      row('Tokens read', ({ promptTokens, cachedTokens }) => countText(promptTokens - cachedTokens)),
      row('Tokens reused', ({ cachedTokens }) => countText(cachedTokens)),
      row('Keys read', ({ sparse }) => percentText(sparse?.density ?? 1)),
    ),
  );
}
