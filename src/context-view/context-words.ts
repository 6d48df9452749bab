import {
  type ContextAccount,
  type ContextFile,
  type ContextFolder,
  type ContextPart,
  countedText,
  countText,
  exclusionText,
  type FileCounts,
  type SecretFinding,
} from '../../protocol';

/** How one row of the view reads. */
export interface Row {
  label: string;
  /** Behind the label, paler. */
  description: string;
  tooltip: string;
  /** What a screen reader says instead of all that. */
  spoken: string;
  /** A codicon. */
  icon: string;
  /** A theme colour of the icon. */
  color?: string;
}

/** `31,200 of 32,768 tokens`. */
export function totalText({ promptTokens, contextTokens }: ContextAccount): string {
  return `${countText(promptTokens)} of ${countText(contextTokens)} tokens`;
}

export function accountRow(account: ContextAccount): Row {
  const label = account.of === 'next' ? 'Next question' : 'Last question';
  const total = totalText(account);
  const tooltip =
    account.of === 'next'
      ? 'What the next question would be sent with, before the question itself and the files that rank for it.'
      : 'Exactly what was sent with the last question.';
  return { label, description: total, tooltip, spoken: `${label}: ${total}. ${tooltip}`, icon: 'pie-chart' };
}

const PARTS: Record<ContextPart, string> = {
  instructions: 'Instructions',
  tree: 'Folders of the repository',
  files: 'Files',
  history: 'Earlier turns',
  attachments: 'Attachments and open editor',
  question: 'Question',
};

/** What the window of the model is filled with, and what is left of it. */
export function partRows(account: ContextAccount): Row[] {
  const { parts, budgetTokens, contextTokens, promptTokens, inclusion, of } = account;
  const room = budgetTokens - promptTokens;
  const left =
    of === 'next'
      ? tokenRow('Left', room, 'Left for the question and the files that rank for it')
      : tokenRow('Not used', room);
  const { droppedTurns, shortenedTurns } = inclusion;
  const notes = [
    ...inclusion.excerpts.map(
      ({ source, label, tokens }) => `${source}: ${label}, ${countedText(tokens, 'token')}`,
    ),
    ...(droppedTurns > 0 ? [`${countedText(droppedTurns, 'earlier turn')} left out`] : []),
    ...(shortenedTurns > 0 ? [`${countedText(shortenedTurns, 'earlier turn')} shortened`] : []),
  ];
  return [
    ...parts.map(({ part, tokens }) => tokenRow(PARTS[part], tokens)),
    left,
    tokenRow('Kept for the answer', contextTokens - budgetTokens),
    ...notes.map(
      (note): Row => ({ label: note, description: '', tooltip: note, spoken: note, icon: 'info' }),
    ),
  ];
}

function tokenRow(label: string, tokens: number, meaning = label): Row {
  const description = countText(tokens);
  const spoken = `${meaning}: ${countedText(tokens, 'token')}`;
  return { label, description, tooltip: spoken, spoken, icon: 'blank' };
}

export function heldBackRow(count: number): Row {
  const label = `${countedText(count, 'file')} held back`;
  const tooltip =
    'They look as if they held a secret. Nothing of them is sent until you decide: include the file anyway, or exclude it.';
  const spoken = `${label}. ${tooltip}`;
  return { label, description: 'decide', tooltip, spoken, icon: 'key', color: WARNING };
}

export function pinsWithoutRoomRow(paths: readonly string[]): Row {
  const label = `${countedText(paths.length, 'pinned file')} without room`;
  const more = paths.length > NAMED ? `\nand ${countText(paths.length - NAMED)} more` : '';
  const names = paths.slice(0, NAMED);
  const tooltip = `Not there whole, since the context is too small:\n${names.join('\n')}${more}`;
  return {
    label,
    description: '',
    tooltip,
    spoken: `${label}: ${names.join(', ')}${more.replace('\n', ' ')}`,
    icon: 'warning',
    color: WARNING,
  };
}

export function moreRow(count: number): Row {
  const label = `${countText(count)} more`;
  const tooltip = 'This folder has too many to list.';
  return { label, description: '', tooltip, spoken: `${label}. ${tooltip}`, icon: 'ellipsis' };
}

export function folderRow({ path, tokens, files }: ContextFolder, choice: Choice): Row {
  const words = countsText(files);
  const counted = countedText(tokens, 'token');
  return {
    label: nameOf(path),
    description: `${countText(tokens)}${choiceText(choice)}`,
    tooltip: `${path}\n${counted}\n${words}${choiceText(choice)}`,
    spoken: `Folder ${path}, ${counted}, ${words}${choiceText(choice)}`,
    icon: choice === 'pinned' ? 'pinned' : choice === 'excluded' ? 'eye-closed' : 'folder',
    ...(tokens === 0 && { color: FAINT }),
  };
}

export function fileRow(file: ContextFile, of: ContextAccount['of'], choice: Choice): Row {
  const { path, tokens, state, secrets = [] } = file;
  const how = STATES[state];
  const why = reasonText(file, of);
  const flagged = secrets.length > 0 ? `\n${secretsText(secrets, state)}` : '';
  const counted = state === 'excluded' ? '' : countedText(tokens, 'token');
  const sizes =
    state === 'excluded' ? briefly(file, why) : `${countText(tokens)}${how === '' ? '' : `, ${how}`}`;
  const facts = [counted, how, why].filter(Boolean).join(', ');
  return {
    label: nameOf(path),
    description: sizes,
    tooltip: `${path}\n${facts}${flagged}`,
    spoken: `${path}, ${facts}${flagged.replace('\n', '. ')}`,
    ...iconOf(file, choice),
  };
}

/** More names than this tell nobody more. */
const NAMED = 20;

type Choice = 'pinned' | 'excluded' | undefined;

const WARNING = 'list.warningForeground';
const FAINT = 'disabledForeground';

const STATES: Record<ContextFile['state'], string> = {
  whole: '',
  signatures: 'by signatures',
  path: 'path only',
  excluded: '',
};

function iconOf({ state, reason, secrets }: ContextFile, choice: Choice): Pick<Row, 'icon' | 'color'> {
  if (reason === 'secret') return { icon: 'key', color: WARNING };
  if (reason === 'excludedByHand') return { icon: 'eye-closed', color: FAINT };
  if (state === 'excluded') return { icon: 'circle-slash', color: FAINT };
  if (choice === 'pinned' || reason === 'pinned') return { icon: 'pinned' };
  if (secrets) return { icon: 'key', color: WARNING };
  if (state === 'signatures') return { icon: 'symbol-method' };
  return state === 'path' ? { icon: 'link', color: FAINT } : { icon: 'file' };
}

/** Where the label needs the room: what was found, or why the file is not there. */
function briefly({ reason, secrets = [] }: ContextFile, why: string): string {
  return reason === 'secret' ? placesText(secrets) : why.replace(/^left out: /, '');
}

/** Why a file is there, or not. */
function reasonText({ state, reason }: ContextFile, of: ContextAccount['of']): string {
  switch (reason) {
    case 'all':
      return 'everything fits';
    case 'base':
      return 'part of every prompt';
    case 'ranked':
      return 'ranked for the question';
    case 'pinned':
      return state === 'whole' ? 'pinned' : 'pinned, does not fit whole';
    case 'attached':
      return 'attached to the question';
    case 'secret':
      return 'held back: may hold a secret';
    case 'noRoom':
      return of === 'next' ? 'comes if it ranks for the question' : `left out: ${exclusionText(reason)}`;
    default:
      return `left out: ${exclusionText(reason)}`;
  }
}

function secretsText(secrets: readonly SecretFinding[], state: ContextFile['state']): string {
  const what = {
    whole: 'Sent with',
    signatures: 'Not in the signatures',
    path: 'Not sent',
    excluded: 'Not sent',
  };
  return `${what[state]}: ${placesText(secrets)}`;
}

function placesText(secrets: readonly SecretFinding[]): string {
  return secrets.map(({ rule, line }) => `${rule} in line ${line}`).join(', ');
}

function countsText({ whole, signatures, path, excluded }: FileCounts): string {
  const counts: [number, string][] = [
    [whole, 'whole'],
    [signatures, 'by signatures'],
    [path, 'by path'],
    [excluded, 'left out'],
  ];
  const told = counts.filter(([count]) => count > 0).map(([count, words]) => `${countText(count)} ${words}`);
  return `${countedText(whole + signatures + path + excluded, 'file')}: ${told.join(', ')}`;
}

function choiceText(choice: Choice): string {
  return choice === undefined ? '' : choice === 'pinned' ? ', pinned' : ', excluded';
}

function nameOf(path: string): string {
  const end = path.endsWith('/') ? path.length - 1 : path.length;
  return path.slice(path.lastIndexOf('/', end - 1) + 1, end);
}
