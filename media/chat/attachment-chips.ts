import {
  type Attachment,
  type AttachmentCount,
  attachmentCountText,
  type ChatAttachments,
  countText,
  exclusionText,
} from '../../protocol';
import { attachmentIcon, attachmentLabel, attachmentTitle } from './attachment-label';
import { element, icon, iconButton } from './dom';

/** What the next question takes along: a chip each, with its tokens, and what they come to. */
export class AttachmentChips {
  private readonly chips = element('div', { class: 'chips', role: 'list', 'aria-label': 'Attachments' });
  /** Says the sum, and why something cannot be sent; spoken when it changes. */
  private readonly account = element('div', { class: 'attachments-account', role: 'status' });
  readonly root = element('div', { class: 'attachments' }, this.chips, this.account);

  constructor(private readonly remove: (index: number) => void) {}

  show({ attachments, account }: ChatAttachments): void {
    this.chips.hidden = attachments.length === 0;
    this.chips.replaceChildren(
      ...attachments.map((attachment, index) => this.chip(attachment, index, account?.counts[index])),
    );
    const { words, isProblem } = accountWords({ attachments, ...(account && { account }) });
    this.say(words, isProblem);
  }

  /** Shows why the question was not sent. */
  refuse(reason: string): void {
    this.say(reason, true);
  }

  private say(words: string, isProblem: boolean): void {
    this.account.textContent = words;
    this.account.hidden = words === '';
    this.account.classList.toggle('problem', isProblem);
  }

  private chip(attachment: Attachment, index: number, count: AttachmentCount | undefined): HTMLElement {
    const label = attachmentLabel(attachment);
    const isProblem = count !== undefined && 'problem' in count;
    const words = count ? attachmentCountText(count) : '';
    return element(
      'span',
      {
        class: isProblem ? 'chip problem' : 'chip',
        role: 'listitem',
        title: [attachmentTitle(attachment), words, ...detailsOf(count)].filter(Boolean).join('\n'),
      },
      icon(isProblem ? 'error' : attachmentIcon(attachment)),
      element('span', { class: 'chip-label' }, label),
      words !== '' && element('span', { class: 'chip-tokens' }, words),
      iconButton('close', `Remove ${label}`, () => this.remove(index)),
    );
  }
}

/** What is wrong with an attachment, and which files of a folder are not in it. */
function detailsOf(count: AttachmentCount | undefined): string[] {
  if (!count) return [];
  if ('problem' in count) return [count.problem];
  return (count.leftOut ?? []).slice(0, 20).map(({ path, reason }) => `${path}: ${exclusionText(reason)}`);
}

function accountWords({ attachments, account }: ChatAttachments): { words: string; isProblem: boolean } {
  if (attachments.length === 0) return { words: '', isProblem: false };
  if (!account) return { words: '', isProblem: false };
  const { counts, neededTokens, budgetTokens } = account;
  const problems = counts.flatMap((count) => ('problem' in count ? [count.problem] : []));
  if (problems.length > 0) return { words: problems.join(' '), isProblem: true };
  const needed = `${countText(neededTokens)} of ${countText(budgetTokens)} tokens`;
  return neededTokens > budgetTokens
    ? { words: `Does not fit: the prompt would need ${needed}.`, isProblem: true }
    : { words: `Needs ${needed}`, isProblem: false };
}
