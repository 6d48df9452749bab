import { type Citation, countedText } from '../../protocol';
import { placeLink } from './answer-view';
import { placeText } from './citation-links';
import { element } from './dom';
import type { Host } from './host';

/** More sources than this are folded away, so that they do not push the answer off the screen. */
const OPEN_SOURCES = 5;

/** Why a place is cited that the answer did not write itself. */
const FOUND_BY = { symbol: 'found by name', quote: 'found by quote', written: '' } as const;

/** The places that an answer rests on; nothing when there are none. */
export function sourcesView(citations: readonly Citation[], host: Host): HTMLElement | undefined {
  if (!citations.length) return undefined;
  const items = citations.map((citation) => sourceItem(citation, host));
  const folded = items.splice(OPEN_SOURCES);
  return element(
    'section',
    { class: 'sources', 'aria-label': 'Sources' },
    element('h4', {}, 'Sources'),
    element('ul', {}, ...items),
    folded.length > 0 &&
      element(
        'details',
        {},
        element('summary', {}, countedText(folded.length, 'more source')),
        element('ul', {}, ...folded),
      ),
  );
}

function sourceItem(citation: Citation, host: Host): HTMLElement {
  const isDerived = citation.origin !== 'written' && citation.claim !== '';
  return element(
    'li',
    {},
    placeLink(host, citation, placeText(citation)),
    isDerived && element('span', { class: 'remark' }, FOUND_BY[citation.origin]),
  );
}
