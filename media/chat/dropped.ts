/** Kinds of data with addresses that the editor gives what is dragged from its explorer and its tabs. */
const ADDRESS_LISTS = ['application/vnd.code.uri-list', 'text/uri-list'];
/** The same as JSON. */
const ADDRESS_ARRAYS = ['resourceurls', 'codefiles'];

/** True when what is dragged may be files of the editor. */
export function mayHoldFiles({ types }: Pick<DataTransfer, 'types'>): boolean {
  const lower = types.map((type) => type.toLowerCase());
  return [...ADDRESS_LISTS, ...ADDRESS_ARRAYS, 'files'].some((type) => lower.includes(type));
}

/** Addresses or paths of what was dropped, without repeats; none when it comes from outside of the editor. */
export function droppedAddresses(data: Pick<DataTransfer, 'types' | 'getData'>): string[] {
  const read = (wanted: string): string => {
    const type = data.types.find((each) => each.toLowerCase() === wanted);
    return type === undefined ? '' : data.getData(type);
  };
  for (const type of ADDRESS_LISTS) {
    const lines = read(type)
      .split(/\r?\n/)
      .filter((line) => line !== '' && !line.startsWith('#'));
    if (lines.length > 0) return [...new Set(lines)];
  }
  for (const type of ADDRESS_ARRAYS) {
    const addresses = textsIn(read(type));
    if (addresses.length > 0) return [...new Set(addresses)];
  }
  return [];
}

/** Pasted text with more lines than this is no list of paths. */
const MOST_PASTED_LINES = 20;

/** True when every line begins as an absolute path or an address of a file does: the extension looks whether it is one. */
export function mayBePaths(text: string): boolean {
  const lines = text.trim().split(/\r?\n/, MOST_PASTED_LINES + 1);
  return (
    lines.length <= MOST_PASTED_LINES &&
    lines.every((line) => /^(?:\/|[A-Za-z]:[\\/]|file:\/\/|vscode-remote:\/\/)\S/.test(line))
  );
}

function textsIn(json: string): string[] {
  try {
    const parsed: unknown = JSON.parse(json === '' ? '[]' : json);
    return Array.isArray(parsed) ? parsed.filter((each): each is string => typeof each === 'string') : [];
  } catch {
    // Data of another kind under the same name.
    return [];
  }
}
