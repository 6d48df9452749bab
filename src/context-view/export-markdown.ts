import { type ContextAccount, countedText, countText, type PromptPartText } from '../../protocol';

/** The whole prompt as text, exactly as it was sent. */
export function plainText(parts: readonly PromptPartText[]): string {
  return parts.flatMap(({ pieces }) => pieces).join('');
}

/**
 * A prompt as a document: each part under a heading with its tokens, its text in a fence. The text is exact: between
 * the lines of a fence stands the part and one newline. A comment before each fence says how many characters each
 * piece has that was turned into tokens by itself, so that the same tokens can be made again.
 */
export function exportMarkdown(account: ContextAccount, parts: readonly PromptPartText[]): string {
  const { promptTokens, contextTokens, files } = account;
  const title = account.of === 'next' ? 'Context of the next question' : 'Context of the last question';
  const whole = countedText(files.whole, 'whole file');
  return [
    `# ${title}\n\n`,
    `${countText(promptTokens)} of ${countText(contextTokens)} tokens: ${whole}, `,
    `${countText(files.signatures)} by signatures, ${countText(files.path)} by path; `,
    `${countText(files.excluded)} left out.\n`,
    ...parts.map(section),
  ].join('');
}

function section({ part, path, tokens, pieces }: PromptPartText, at: number): string {
  const text = pieces.join('');
  const fence = '`'.repeat(Math.max(3, longestRun(text) + 1));
  const name = path === undefined ? part : `${part}: ${path.replaceAll(/\s/g, ' ')}`;
  return (
    `\n## ${at + 1}. ${name} (${countedText(tokens, 'token')})\n\n` +
    `<!-- pieces: ${pieces.map(({ length }) => length).join(' ')} -->\n` +
    `${fence}text\n${text}\n${fence}\n`
  );
}

function longestRun(text: string): number {
  return Math.max(0, ...Array.from(text.matchAll(/`+/g), ([run]) => run.length));
}
