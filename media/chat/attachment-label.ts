import type { Attachment } from '../../protocol';

/** `a.ts:3-9` or `a.ts`: the file's name, as short as a chip must be. */
export function attachmentLabel(attachment: Attachment): string {
  const name = attachment.path.split('/').at(-1) ?? attachment.path;
  if (attachment.kind === 'file') return name;
  const { startLine, endLine } = attachment;
  return endLine > startLine ? `${name}:${startLine}-${endLine}` : `${name}:${startLine}`;
}
