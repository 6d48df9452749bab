import { realpath } from 'node:fs/promises';
import path from 'node:path';
import type { Attachment, ExcludedFile } from '../../protocol';
import { LongviewError } from '../errors';
import type { Excerpt, Selection } from '../prompt/layout';
import type { Repository, RepositoryView } from './repository';
import type { SecretGate } from './secrets/secret-gate';
import type { Symbols } from './symbols';

/** What attachments come to. */
export interface ResolvedAttachments {
  selections: Selection[];
  excerpts: Excerpt[];
  /** Display paths without repeats. */
  paths: string[];
  /** What the user named, in words for the model. */
  subjects: string[];
}

/** What one attachment comes to. */
export interface ResolvedAttachment extends ResolvedAttachments {
  /** Files of a folder that cannot be attached. */
  leftOut: ExcludedFile[];
}

/** What attachments are looked up in. */
export interface AttachmentSources {
  repository: Repository;
  /** Of the whole workspace: a file that is named by hand is meant, whatever else was decided about it. */
  view: RepositoryView;
  /** What of it is left by decisions: of a folder, only that is meant. */
  chosen: Pick<RepositoryView, 'usable' | 'unusable'>;
  symbols: Symbols;
}

const NOTHING: ResolvedAttachment = { selections: [], excerpts: [], paths: [], subjects: [], leftOut: [] };

/**
 * Checks what the user attached, and finds what it means.
 * @throws LongviewError `badRequest` that names the attachment; `secretFound`
 */
export async function resolveAttachments(
  attachments: readonly Attachment[],
  sources: AttachmentSources,
  gate: SecretGate,
): Promise<ResolvedAttachments> {
  const all: ResolvedAttachment[] = [];
  for (const attachment of attachments) {
    const resolved = await resolveAttachment(attachment, sources);
    await requireClean(resolved, sources.repository, gate);
    all.push(resolved);
  }
  return {
    selections: all.flatMap(({ selections }) => selections),
    excerpts: all.flatMap(({ excerpts }) => excerpts),
    paths: [...new Set(all.flatMap(({ paths }) => paths))],
    subjects: [...new Set(all.flatMap(({ subjects }) => subjects))],
  };
}

/**
 * What was added by hand cannot be left out silently, also of a folder.
 * @throws LongviewError `secretFound`
 */
async function requireClean(
  { paths, selections, excerpts }: ResolvedAttachment,
  repository: Repository,
  gate: SecretGate,
): Promise<void> {
  for (const file of paths) {
    const loaded = await repository.load(file);
    if (loaded.kind === 'text') await gate.requireClean(file, loaded.text);
  }
  for (const { path: file, text, startLine } of selections) await gate.requireClean(file, text, startLine);
  for (const { source, label, text } of excerpts) await gate.requireClean(`${source}: ${label}`, text);
}

/**
 * Secrets are not looked for.
 * @throws LongviewError `badRequest` that names the attachment
 */
export async function resolveAttachment(
  attachment: Attachment,
  sources: AttachmentSources,
): Promise<ResolvedAttachment> {
  switch (attachment.kind) {
    case 'file':
      await requireUsable(attachment.path, sources);
      return { ...NOTHING, paths: [attachment.path], subjects: [attachment.path] };
    case 'folder':
      return folder(attachment.path, sources.chosen);
    case 'symbol':
      return {
        ...NOTHING,
        selections: [await linesOfSymbol(attachment, sources)],
        subjects: [`${attachment.name} in ${attachment.path}`],
      };
    case 'selection':
      return { ...NOTHING, selections: [checked(attachment)] };
    case 'excerpt':
      if (attachment.text.trim() === '')
        throw unusable(attachment.label, 'it holds no text', 'Remove the attachment.');
      return { ...NOTHING, excerpts: [attachment] };
  }
}

function folder(attached: string, view: AttachmentSources['chosen']): ResolvedAttachment {
  const name = attached.replace(/\/+$/, '');
  const isBelow = (file: string): boolean => file.startsWith(`${name}/`);
  const paths = view.usable.filter(isBelow);
  const leftOut = view.unusable.filter((file) => isBelow(file.path));
  if (paths.length === 0) {
    const why =
      leftOut.length === 0
        ? 'no file of the workspace lies in it that ignore rules and settings leave in'
        : `none of its ${leftOut.length} files holds text that can be read`;
    throw unusable(`folder ${name}`, why, 'Remove the attachment, or attach another folder.');
  }
  return { ...NOTHING, paths, leftOut, subjects: [`${name}/ (${paths.length} files)`] };
}

/** The definition of that name which is nearest to where it was; failing that, those lines if they still hold the name. */
async function linesOfSymbol(
  { path: file, name, startLine, endLine }: Extract<Attachment, { kind: 'symbol' }>,
  sources: AttachmentSources,
): Promise<Selection> {
  await requireUsable(file, sources);
  const lines = (await sources.symbols.linesOf(file)) ?? [];
  const defined = (await sources.symbols.of(file)).filter((symbol) => symbol.name === name);
  const distance = (line: number): number => Math.abs(line - startLine);
  const nearest = defined.reduce<(typeof defined)[number] | undefined>(
    (best, each) => (best && distance(best.startLine) <= distance(each.startLine) ? best : each),
    undefined,
  );
  const place = nearest ?? { startLine, endLine: Math.min(endLine, lines.length) };
  const text = lines.slice(place.startLine - 1, place.endLine).join('\n');
  if (!text.includes(name))
    throw unusable(`symbol ${name}`, `${file} does not define it any more`, 'Remove the attachment.');
  return { kind: 'selection', path: file, startLine: place.startLine, endLine: place.endLine, text };
}

function checked(selection: Selection): Selection {
  const { path: file, startLine, endLine } = selection;
  if (startLine < 1 || endLine < startLine)
    throw unusable(`file ${file}`, `lines ${startLine} to ${endLine} do not exist`);
  return selection;
}

/**
 * A file need not be in the list (an ignored one may be attached by hand), but it must lie inside of a workspace folder
 * and hold text.
 */
async function requireUsable(file: string, { repository, view }: AttachmentSources): Promise<void> {
  if (view.usable.includes(file)) return;
  const reason = view.unusable.find((entry) => entry.path === file)?.reason;
  if (reason) throw unusable(`file ${file}`, REASONS[reason]);
  const place = repository.locate(file);
  if (!place || !(await isInside(place.rootPath, place.absolutePath))) {
    throw unusable(`file ${file}`, 'it is not in the workspace');
  }
  const loaded = await repository.load(file);
  if (loaded.kind === 'excluded') throw unusable(`file ${file}`, loaded.detail ?? REASONS[loaded.reason]);
}

/** Also after symbolic links are followed: a link in the workspace does not open the rest of the disk. */
export async function isInside(root: string, file: string): Promise<boolean> {
  const real = await realpath(file).catch(() => undefined);
  const realRoot = await realpath(root).catch(() => undefined);
  if (real === undefined || realRoot === undefined) return false;
  return [path.relative(root, file), path.relative(realRoot, real)].every(
    (relative) => relative !== '' && relative.split(path.sep)[0] !== '..' && !path.isAbsolute(relative),
  );
}

const REASONS: Record<ExcludedFile['reason'], string> = {
  secret: 'it may hold a secret',
  excludedByHand: 'it is excluded by hand',
  noRoom: 'there is no room for it',
  binary: 'it is binary',
  lockFile: 'it is a lock file',
  generated: 'it is generated',
  minified: 'it is minified',
  tooLarge: 'it is larger than 1 MB',
  notUtf8: 'it is not UTF-8 text',
  unreadable: 'it cannot be read',
  empty: 'it is empty',
};

function unusable(
  what: string,
  reason: string,
  action = 'Remove the attachment, or attach a selection of its text.',
): LongviewError {
  return new LongviewError('badRequest', `The attached ${what} cannot be used: ${reason}.`, action, {
    attachment: what,
  });
}
