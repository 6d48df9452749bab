import { bytesText, type ChatWelcome, countedText, countText } from '../../protocol';

/** What will be read. */
export function foldersText({ folders, files }: ChatWelcome): string {
  if (!folders.length) return 'No folder is open. Longview reads the files of the open folder.';
  const names = folders.length < 4 ? folders.join(', ') : `${countText(folders.length)} folders`;
  return files === undefined
    ? `Reads the files of ${names} that .gitignore leaves in.`
    : `Reads from ${countedText(files, 'file')} of ${names}: all of them, or the ones that matter for the question.`;
}

/** Which model answers, and whether it is here. */
export function modelText({ model, device }: ChatWelcome): string {
  if (!model) return 'The model runs on this machine.';
  const where = device === undefined ? 'on this machine' : `on ${device}`;
  if (model.state === 'ready') return `${model.name} answers ${where}.`;
  return `${model.name} answers ${where}. It is not here yet (${bytesText(model.bytes)}); Longview asks before it downloads.`;
}

/** The model in a few words, for the foot of the question box. */
export function modelLabel({ model }: ChatWelcome): string {
  return model?.name ?? '';
}
