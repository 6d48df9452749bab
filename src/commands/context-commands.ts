import path from 'node:path';
import * as vscode from 'vscode';
import type { SecretDecision } from '../../protocol';
import { openEditorPath, pathOfUri } from '../chat/editor-actions';
import type { ChoicesStore } from '../context-view/choices-store';
import type { ContextModel } from '../context-view/context-model';
import {
  CONTEXT_VIEW,
  type ContextNode,
  type ContextTarget,
  type ContextTree,
  targetOf,
} from '../context-view/context-tree';
import { exportMarkdown, plainText } from '../context-view/export-markdown';
import type { Commands, ContextCommandId } from './register-commands';

type ContextCommands = Pick<Commands, ContextCommandId>;

/** The argument that key bindings of the view give: what is selected there. */
const SELECTION = 'selection';

/** The commands of the Context view; from the command palette they are about the file in the active editor. */
export function contextCommands(
  model: ContextModel,
  tree: ContextTree,
  choices: ChoicesStore,
): ContextCommands {
  const target = (argument: unknown): Promise<ContextTarget> => targetFor(argument, tree);
  const choose = (act: (path: string) => void) => async (argument: unknown) =>
    act((await target(argument)).path);
  const pin = async (wanted: string): Promise<void> => {
    if (wanted.endsWith('/') && (await model.isUnknown(wanted)))
      throw new Error(
        `${wanted} holds no file that Longview reads: ignore rules or settings leave them out. Pin its files one by one; a pinned file is read all the same.`,
      );
    choices.pin(wanted);
  };
  return {
    showContext: () => vscode.commands.executeCommand(`${CONTEXT_VIEW}.focus`),
    pinInContext: async (argument) => pin((await target(argument)).path),
    unpinFromContext: choose((file) => choices.unpin(file)),
    excludeFromContext: choose((file) => choices.exclude(file)),
    includeInContext: choose((file) => choices.include(file)),
    addFolderToContext: async () => {
      const folder = await pickFolder();
      if (folder !== undefined) await pin(folder);
    },
    allowSecrets: async (argument) => {
      choices.allow(isDecision(argument) ? argument : decisionFor(await target(argument)));
    },
    showNextContext: () => model.show('next'),
    showAskedContext: () => model.show('asked'),
    copyPrompt: async () => {
      const { account, parts } = await model.promptText();
      await vscode.env.clipboard.writeText(plainText(parts));
      void vscode.window.setStatusBarMessage(
        account.of === 'next'
          ? 'Copied what the next question would be sent with'
          : 'Copied the prompt that was sent',
        4000,
      );
    },
    exportContext: async () => {
      const { account, parts } = await model.promptText();
      const content = exportMarkdown(account, parts);
      await vscode.window.showTextDocument(
        await vscode.workspace.openTextDocument({ language: 'markdown', content }),
      );
    },
  };
}

/** @throws when there is nothing that the command could be about. */
async function targetFor(argument: unknown, tree: ContextTree): Promise<ContextTarget> {
  if (argument instanceof vscode.Uri) return { path: await pathOf(argument) };
  if (argument === SELECTION) {
    const selected = await tree.selected();
    if (selected) return selected;
    throw new Error('Select a file or a folder in the Context view first.');
  }
  const node = targetOf(argument as ContextNode | undefined);
  if (node) return node;
  const file = openEditorPath();
  if (file !== undefined) return { path: file };
  throw new Error('Open a file of the workspace, or select one in the Context view.');
}

async function pathOf(uri: vscode.Uri): Promise<string> {
  const named = pathOfUri(uri);
  if (named === undefined) throw new Error(`${path.basename(uri.path)} is not in an open folder.`);
  const { type } = await vscode.workspace.fs.stat(uri);
  return type === vscode.FileType.Directory ? `${named}/` : named;
}

async function pickFolder(): Promise<string | undefined> {
  const first = vscode.workspace.workspaceFolders?.[0];
  if (!first) throw new Error('No folder is open. Open the folder that questions are about.');
  const picked = await vscode.window.showOpenDialog({
    title: 'Add a Folder to the Context',
    openLabel: 'Pin',
    canSelectFiles: false,
    canSelectFolders: true,
    defaultUri: first.uri,
  });
  return picked?.[0] && pathOf(picked[0]);
}

function isDecision(argument: unknown): argument is SecretDecision {
  return typeof argument === 'object' && argument !== null && 'rules' in argument;
}

/** @throws when nothing was found in the file. */
function decisionFor({ path: file, secrets }: ContextTarget): SecretDecision {
  if (!secrets) throw new Error(`Select a file in the Context view that is held back; ${file} is not.`);
  return { path: file, rules: secrets.map(({ rule }) => rule) };
}
