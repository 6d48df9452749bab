import DOMPurify from 'dompurify';
import { CITATION_ATTRIBUTE } from './markdown';

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
    ALLOWED_ATTR: ['href', 'class', 'start', 'title', 'data-language', CITATION_ATTRIBUTE],
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    ALLOWED_URI_REGEXP: /^https?:\/\//i,
    RETURN_DOM_FRAGMENT: true,
  });
}
