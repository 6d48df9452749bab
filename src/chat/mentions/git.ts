import path from 'node:path';
import * as vscode from 'vscode';
import type { Attachment, Completion, Completions, MentionChoice } from '../../../protocol';
import { type GitCommit, type GitRepository, gitRepositories, UNTRACKED } from './git-api';

const COMMITS_LISTED = 8;

type GitChoice = Extract<MentionChoice, { kind: 'git' }>;

/** The changes and the last commits of each repository. */
export async function completeGit(query: string): Promise<Completions> {
  const wanted = query.toLowerCase();
  const repositories = await gitRepositories();
  const items = await Promise.all(
    repositories.map((repository) => itemsOf(repository, repositories.length > 1)),
  );
  return {
    items: items.flat().filter(({ label, detail }) => `${label} ${detail}`.toLowerCase().includes(wanted)),
  };
}

async function itemsOf(repository: GitRepository, isOneOfMany: boolean): Promise<Completion[]> {
  const { rootUri, state } = repository;
  const name = path.basename(rootUri.fsPath);
  const of = isOneOfMany ? ` of ${name}` : '';
  const branch = state.HEAD?.name ?? 'no branch';
  const changed = state.workingTreeChanges.length + (state.untrackedChanges?.length ?? 0);
  const item = (choice: GitChoice, label: string, detail: string): Completion => ({
    choice,
    label,
    detail,
    icon: choice.what === 'commit' ? 'git-commit' : 'diff',
    insert: '@git',
  });
  const common = { kind: 'git', repository: rootUri.fsPath } as const;
  return [
    item({ ...common, what: 'changes' }, `Changes${of}`, `${files(changed)}, not staged, on ${branch}`),
    item({ ...common, what: 'staged' }, `Staged changes${of}`, files(state.indexChanges.length)),
    ...(await lastCommits(repository)).map((commit) =>
      item({ ...common, what: 'commit', hash: commit.hash }, subjectOf(commit), commit.hash.slice(0, 8) + of),
    ),
  ];
}

/** None on a branch without commits, for which git has an error. */
function lastCommits(repository: GitRepository): Promise<GitCommit[]> {
  if (repository.state.HEAD?.commit === undefined) return Promise.resolve([]);
  return repository.log({ maxEntries: COMMITS_LISTED });
}

/** @throws when there is nothing to attach, in words */
export async function attachmentOfGit(choice: GitChoice): Promise<Attachment> {
  const repository = (await gitRepositories()).find(({ rootUri }) => rootUri.fsPath === choice.repository);
  if (!repository) throw new Error(`${choice.repository} is no open Git repository.`);
  switch (choice.what) {
    case 'changes':
      return changes(repository);
    case 'staged':
      return staged(repository);
    case 'commit':
      return commit(repository, choice.hash);
  }
}

async function changes(repository: GitRepository): Promise<Attachment> {
  const diff = await repository.diff(false);
  const { workingTreeChanges, untrackedChanges = [] } = repository.state;
  const untracked = [...workingTreeChanges.filter(({ status }) => status === UNTRACKED), ...untrackedChanges];
  const names = untracked.map(({ uri }) => `Not tracked yet: ${relative(repository, uri.fsPath)}\n`).join('');
  if (diff.trim() === '' && names === '')
    throw new Error('Git shows no changes that are not staged. Text that is not saved is none for it.');
  return excerpt('unstaged changes', unsavedNote(repository) + names + diff);
}

/** Git reads the disk: text that is not saved cannot be in its diff, which is said rather than left to be found out. */
function unsavedNote(repository: GitRepository): string {
  const unsaved = vscode.workspace.textDocuments
    .filter(({ isDirty, uri }) => isDirty && uri.scheme === 'file')
    .map(({ uri }) => relative(repository, uri.fsPath))
    .filter((name) => !name.startsWith('../'));
  return unsaved
    .map((name) => `Changed further in the editor, not saved, not in this diff: ${name}\n`)
    .join('');
}

async function staged(repository: GitRepository): Promise<Attachment> {
  const diff = await repository.diff(true);
  if (diff.trim() === '') throw new Error('Nothing is staged.');
  return excerpt('staged changes', diff);
}

async function commit(repository: GitRepository, hash: string): Promise<Attachment> {
  const { message, parents, authorName } = await repository.getCommit(hash);
  const [parent] = parents.filter((each) => each !== '');
  if (parent === undefined)
    throw new Error(
      `${hash.slice(0, 8)} is the first commit: there is nothing to compare it with. Attach its files instead.`,
    );
  const changed = await repository.diffBetween(parent, hash);
  const diffs: string[] = [];
  for (const { uri } of changed) diffs.push(await repository.diffBetween(parent, hash, uri.fsPath));
  const head = `commit ${hash}${authorName === undefined ? '' : ` by ${authorName}`}\n${message.trim()}\n\n`;
  return excerpt(`commit ${hash.slice(0, 8)}: ${message.split('\n')[0] ?? ''}`, head + diffs.join(''));
}

function excerpt(label: string, text: string): Attachment {
  return { kind: 'excerpt', source: 'git', label, text };
}

const files = (count: number): string => (count === 1 ? '1 file' : `${count} files`);

const subjectOf = ({ message }: GitCommit): string => message.split('\n')[0] ?? '';

function relative({ rootUri }: GitRepository, file: string): string {
  return path.relative(rootUri.fsPath, file).split(path.sep).join('/');
}
