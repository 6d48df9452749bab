import DOMPurify from 'dompurify';
import { CITATION_ATTRIBUTE, SYMBOL_ATTRIBUTE } from './markdown';

/** Attributes that hold neither an address nor a style. */
const PLAIN_ATTRIBUTES = ['start', 'title', 'data-language', CITATION_ATTRIBUTE, SYMBOL_ATTRIBUTE];

/**
 * The nodes of rendered Markdown, with nothing left in them that runs, loads or styles. Rendering makes no such
 * thing; this is the second lock on the same door.
 */
export function sanitized(html: string): DocumentFragment {
  return DOMPurify.sanitize(html, {
    ALLOWED_TAGS: [
      ...['p', 'br', 'hr', 'blockquote', 'pre', 'code', 'span', 'a', 'em', 'strong', 's', 'ul', 'ol', 'li'],
      ...['h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'table', 'thead', 'tbody', 'tr', 'th', 'td'],
    ],
    ALLOWED_ATTR: ['href', 'class', ...PLAIN_ATTRIBUTES],
    // Without this the rule for addresses below would be applied to them too.
    ADD_URI_SAFE_ATTR: PLAIN_ATTRIBUTES,
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    ALLOWED_URI_REGEXP: /^https?:\/\//i,
    RETURN_DOM_FRAGMENT: true,
  });
}
