import type { AttachmentAccount, AttachmentCount } from './count-attachments';
import { countedText, countText } from './figures';

/** `1,234 tokens`, `12 files, 3,456 tokens; 2 left out`; empty for what cannot be attached. */
export function attachmentCountText(count: AttachmentCount): string {
  if ('problem' in count) return '';
  const files = count.files === undefined ? '' : `${countedText(count.files, 'file')}, `;
  const tokens = `${count.isLeast ? 'more than ' : ''}${countedText(count.tokens, 'token')}`;
  const leftOut = count.leftOut ? `; ${countText(count.leftOut.length)} left out` : '';
  return files + tokens + leftOut;
}

/**
 * Why a question cannot be sent with what is attached, with the numbers; undefined when it can.
 * @param whatHelps where it is too much
 */
export function attachmentRefusal(
  { counts, neededTokens, budgetTokens }: AttachmentAccount,
  whatHelps: string,
): string | undefined {
  const problems = counts.flatMap((count) => ('problem' in count ? [count.problem] : []));
  if (problems.length > 0) return problems.join(' ');
  if (neededTokens <= budgetTokens) return undefined;
  const isLeast = counts.some((count) => 'isLeast' in count && count.isLeast);
  const needed = `${isLeast ? 'more than ' : ''}${countText(neededTokens)} tokens`;
  return `The question with what is attached needs ${needed}; ${countText(budgetTokens)} fit. ${whatHelps}`;
}
