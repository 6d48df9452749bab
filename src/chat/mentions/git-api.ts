import * as vscode from 'vscode';

/** The part of the built-in Git extension's interface, version 1, that is used. */
export interface GitApi {
  readonly repositories: readonly GitRepository[];
}

export interface GitRepository {
  readonly rootUri: vscode.Uri;
  readonly state: {
    readonly HEAD: { readonly name?: string; readonly commit?: string } | undefined;
    readonly indexChanges: readonly GitChange[];
    readonly workingTreeChanges: readonly GitChange[];
    /** Where untracked files are listed apart. */
    readonly untrackedChanges?: readonly GitChange[];
  };
  /** The diff of the index where `cached`, else of the working tree. */
  diff(cached?: boolean): Promise<string>;
  diffBetween(from: string, to: string): Promise<GitChange[]>;
  diffBetween(from: string, to: string, path: string): Promise<string>;
  log(options: { maxEntries: number }): Promise<GitCommit[]>;
  getCommit(ref: string): Promise<GitCommit>;
}

export interface GitChange {
  readonly uri: vscode.Uri;
  readonly status: number;
}

export interface GitCommit {
  readonly hash: string;
  readonly message: string;
  readonly parents: string[];
  readonly authorName?: string;
  readonly authorDate?: Date;
}

/** `Status.UNTRACKED` of the Git extension. */
export const UNTRACKED = 7;

/** @throws in words where the Git extension is off, absent, or has found no git */
export async function gitRepositories(): Promise<readonly GitRepository[]> {
  const extension = vscode.extensions.getExtension<{
    readonly enabled: boolean;
    getAPI(version: 1): GitApi;
  }>('vscode.git');
  if (!extension)
    throw new Error(
      'The built-in Git extension is not there or disabled. Enable it, and trust the workspace.',
    );
  const git = extension.isActive ? extension.exports : await extension.activate();
  if (!git.enabled) throw new Error('Git is switched off: see the setting git.enabled.');
  const { repositories } = git.getAPI(1);
  if (repositories.length === 0)
    throw new Error('No open folder is in a Git repository, or git is not installed.');
  return repositories;
}
