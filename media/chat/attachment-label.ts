import type { Attachment } from '../../protocol';

/** What an attachment is called: as short as a chip must be. */
export function attachmentLabel(attachment: Attachment): string {
  switch (attachment.kind) {
    case 'file':
      return nameOf(attachment.path);
    case 'folder':
      return `${nameOf(attachment.path)}/`;
    case 'symbol':
      return attachment.name;
    case 'selection': {
      const { startLine, endLine } = attachment;
      const lines = endLine > startLine ? `${startLine}-${endLine}` : `${startLine}`;
      return `${nameOf(attachment.path)}:${lines}`;
    }
    case 'excerpt':
      return attachment.label;
  }
}

/** The same in full, for a tooltip. */
export function attachmentTitle(attachment: Attachment): string {
  switch (attachment.kind) {
    case 'symbol':
      return `${attachment.name} in ${attachment.path}:${attachment.startLine}`;
    case 'excerpt':
      return `${attachment.source}: ${attachment.label}`;
    default:
      return attachment.path;
  }
}

/** Name of a codicon. */
export function attachmentIcon(attachment: Attachment): string {
  if (attachment.kind !== 'excerpt')
    return { file: 'file', folder: 'folder', symbol: 'symbol-method', selection: 'list-selection' }[
      attachment.kind
    ];
  return { problems: 'warning', terminal: 'terminal', git: 'git-commit' }[attachment.source];
}

function nameOf(path: string): string {
  return path.split('/').at(-1) ?? path;
}
