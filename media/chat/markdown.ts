import MarkdownParser, { type MarkdownIt } from 'markdown-it';
import type { Citation, SymbolLink } from '../../protocol';
import { linkCitations } from './citation-links';
import { highlighted } from './highlight';

/** Data attribute of a citation link: its place among the citations. */
export const CITATION_ATTRIBUTE = 'data-citation';

/** Data attribute of a name that is defined somewhere: its place among the symbols. */
export const SYMBOL_ATTRIBUTE = 'data-symbol';

/**
 * Turns an answer into HTML, one string per top-level block, so that a growing answer replaces only its last
 * blocks. HTML in the answer comes out as text. The result is sanitized once more before it is shown.
 */
export function renderBlocks(
  markdown: string,
  citations: readonly Citation[],
  symbols: readonly SymbolLink[] = [],
): string[] {
  const renderer = rendererFor(citations, symbols);
  const env = {};
  const tokens = renderer.parse(markdown, env);
  const blocks: string[] = [];
  let start = 0;
  tokens.forEach((token, index) => {
    if (token.level !== 0 || token.nesting > 0) return;
    blocks.push(renderer.renderer.render(tokens.slice(start, index + 1), renderer.options, env));
    start = index + 1;
  });
  return blocks;
}

function rendererFor(citations: readonly Citation[], symbols: readonly SymbolLink[]): MarkdownIt {
  const renderer = new MarkdownParser({ html: false, linkify: false, breaks: false });
  const { escapeHtml } = renderer.utils;
  renderer.disable('image');
  // Only addresses that a browser would open; anything else stays text.
  renderer.validateLink = (url) => /^https?:\/\//i.test(url);
  renderer.renderer.rules['fence'] = (tokens, index) => {
    const token = tokens[index];
    if (!token) return '';
    const language = /^[\w+#-]+/.exec(token.info)?.[0] ?? '';
    return codeBlock(token.content, language);
  };
  renderer.renderer.rules['code_block'] = (tokens, index) => codeBlock(tokens[index]?.content ?? '', '');
  const withLinks = (text: string) =>
    linkCitations(text, citations)
      .map((part) =>
        part.citation === undefined
          ? escapeHtml(part.text)
          : `<span ${CITATION_ATTRIBUTE}="${part.citation}">${escapeHtml(part.text)}</span>`,
      )
      .join('');
  renderer.renderer.rules['text'] = (tokens, index) => withLinks(tokens[index]?.content ?? '');
  renderer.renderer.rules['code_inline'] = (tokens, index) => {
    const code = tokens[index]?.content ?? '';
    const symbol = symbols.findIndex(({ name }) => name === code.trim());
    return symbol < 0
      ? `<code>${withLinks(code)}</code>`
      : `<code ${SYMBOL_ATTRIBUTE}="${symbol}">${escapeHtml(code)}</code>`;
  };
  return renderer;

  function codeBlock(code: string, language: string): string {
    const html = highlighted(code, language) ?? escapeHtml(code);
    return `<pre data-language="${escapeHtml(language)}"><code>${html}</code></pre>\n`;
  }
}
