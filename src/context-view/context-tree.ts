import { setTimeout as sleep } from 'node:timers/promises';
import * as vscode from 'vscode';
import type { ContextAccount, ContextEntry, ContextFile, SecretFinding } from '../../protocol';
import { fileUri } from '../chat/editor-actions';
import type { Disposable } from '../session/signal';
import type { ChoicesStore } from './choices-store';
import type { ContextModel } from './context-model';
import {
  accountRow,
  fileRow,
  folderRow,
  heldBackRow,
  moreRow,
  partRows,
  pinsWithoutRoomRow,
  type Row,
  totalText,
} from './context-words';

/** Ample for a tree to be drawn, on a busy machine, too. */
const REDRAW_MS = 1000;
const POLL_MS = 25;

export const CONTEXT_VIEW = 'longview.context';

/** A row of the view. */
export type ContextNode =
  | { kind: 'account'; account: ContextAccount }
  | { kind: 'heldBack'; account: ContextAccount }
  | { kind: 'words'; id: string; row: Row }
  | { kind: 'entry'; of: ContextAccount['of']; entry: ContextEntry; among: 'files' | 'heldBack' };

/** What a command is about: a file, or a folder whose path ends in `/`. */
export interface ContextTarget {
  path: string;
  secrets?: SecretFinding[];
}

/** The Context view: a tree of what the next question is sent with, and of what the last one was sent with. */
export class ContextTree implements vscode.TreeDataProvider<ContextNode>, vscode.Disposable {
  private readonly changes = new vscode.EventEmitter<undefined>();
  readonly onDidChangeTreeData = this.changes.event;
  private readonly view: vscode.TreeView<ContextNode>;
  private readonly subscriptions: Disposable[];
  private endProgress: (() => void) | undefined;
  /** All that the rows depend on. */
  private drawn = '';

  constructor(
    private readonly model: ContextModel,
    private readonly choices: ChoicesStore,
  ) {
    this.view = vscode.window.createTreeView(CONTEXT_VIEW, { treeDataProvider: this, showCollapseAll: true });
    this.subscriptions = [
      this.view.onDidChangeVisibility(({ visible }) => model.setVisible(visible)),
      model.changed.on(() => this.update()),
    ];
    model.setVisible(this.view.visible);
  }

  /**
   * The row that is selected; undefined when none is. While the tree is drawn anew, VS Code knows no row for a moment,
   * which a key that is pressed then must not feel.
   */
  async selected(): Promise<ContextTarget | undefined> {
    for (let waitedMs = 0; waitedMs < REDRAW_MS && this.view.selection.length === 0; waitedMs += POLL_MS) {
      await sleep(POLL_MS);
    }
    return targetOf(this.view.selection[0]);
  }

  dispose(): void {
    for (const subscription of this.subscriptions) subscription.dispose();
    this.endProgress?.();
    this.view.dispose();
    this.changes.dispose();
  }

  async getChildren(node?: ContextNode): Promise<ContextNode[]> {
    const { account } = this.model.current;
    if (!account) return [];
    if (!node) return [...this.heads(account), ...(await this.entriesIn('', account))];
    switch (node.kind) {
      case 'account':
        return partRows(node.account).map((row) => ({ kind: 'words', id: `part ${row.label}`, row }));
      case 'heldBack':
        return node.account.heldBack.map(({ path, secrets }) => {
          const entry: ContextFile = {
            kind: 'file',
            path,
            tokens: 0,
            state: 'excluded',
            reason: 'secret',
            secrets,
          };
          return { kind: 'entry', of: node.account.of, entry, among: 'heldBack' };
        });
      case 'entry':
        return node.entry.kind === 'folder' ? this.entriesIn(node.entry.path, account) : [];
      case 'words':
        return [];
    }
  }

  getTreeItem(node: ContextNode): vscode.TreeItem {
    if (node.kind === 'words') return itemOf(node.row, node.id);
    if (node.kind === 'account') return itemOf(accountRow(node.account), 'account', 'Collapsed');
    if (node.kind === 'heldBack') {
      return itemOf(heldBackRow(node.account.heldBack.length), 'held back', 'Expanded');
    }
    const { entry, of, among } = node;
    const choice = this.choices.of(entry.path);
    const item =
      entry.kind === 'folder'
        ? itemOf(folderRow(entry, choice), `folder ${entry.path}`, 'Collapsed')
        : itemOf(fileRow(entry, of, choice), `${among} ${entry.path}`);
    item.contextValue = ['entry', ...possible(entry, choice)].join(' ');
    const uri = entry.kind === 'file' ? fileUri(entry.path) : undefined;
    // As in the explorer, the keyboard stays where it is.
    const how: vscode.TextDocumentShowOptions = { preserveFocus: true, preview: true };
    if (uri) item.command = { command: 'vscode.open', title: 'Open File', arguments: [uri, how] };
    return item;
  }

  private heads(account: ContextAccount): ContextNode[] {
    const { pinsWithoutRoom } = account.inclusion;
    return [
      { kind: 'account', account },
      ...(account.heldBack.length > 0 ? [{ kind: 'heldBack', account } as const] : []),
      ...(pinsWithoutRoom.length > 0
        ? [{ kind: 'words', id: 'pins', row: pinsWithoutRoomRow(pinsWithoutRoom) } as const]
        : []),
    ];
  }

  private async entriesIn(folder: string, { of }: ContextAccount): Promise<ContextNode[]> {
    const { entries, more } = await this.model.list(folder);
    const nodes = entries.map((entry): ContextNode => ({ kind: 'entry', of, entry, among: 'files' }));
    if (more > 0) nodes.push({ kind: 'words', id: `more ${folder}`, row: moreRow(more) });
    return nodes;
  }

  private update(): void {
    const { account, top, problem, isLooking } = this.model.current;
    this.showProgress(isLooking);
    if (isLooking) return;
    this.view.description = account ? totalText(account) : '';
    // The API takes no undefined here.
    this.view.message = problem ?? '';
    const count = account?.heldBack.length ?? 0;
    this.view.badge =
      count > 0
        ? { value: count, tooltip: `Longview held back ${count} files that may hold a secret` }
        : undefined;
    void vscode.commands.executeCommand('setContext', 'longview.contextOf', account?.of);
    // A tree that is drawn anew forgets for a moment which row is selected.
    const drawn = JSON.stringify([account && { ...account, id: 0 }, top, this.choices.current]);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    this.changes.fire(undefined);
  }

  private showProgress(isLooking: boolean): void {
    if (isLooking && !this.endProgress) {
      const done = new Promise<void>((resolve) => {
        this.endProgress = resolve;
      });
      void vscode.window.withProgress({ location: { viewId: CONTEXT_VIEW } }, () => done);
    } else if (!isLooking) {
      this.endProgress?.();
      this.endProgress = undefined;
    }
  }
}

/** The file or folder of a row. */
export function targetOf(node: ContextNode | undefined): ContextTarget | undefined {
  if (node?.kind !== 'entry') return undefined;
  const { entry } = node;
  const secrets = entry.kind === 'file' ? entry.secrets : undefined;
  return { path: entry.path, ...(secrets && { secrets }) };
}

/** What can be done with a row, for the conditions of its menu. */
function possible(entry: ContextEntry, choice: 'pinned' | 'excluded' | undefined): string[] {
  const isHeldBack = entry.kind === 'file' && entry.reason === 'secret';
  return [
    choice === 'pinned' ? 'can-unpin' : 'can-pin',
    choice === 'excluded' ? 'can-include' : 'can-exclude',
    ...(isHeldBack ? ['can-allow'] : []),
  ];
}

function itemOf(
  row: Row,
  id: string,
  state: keyof typeof vscode.TreeItemCollapsibleState = 'None',
): vscode.TreeItem {
  const item = new vscode.TreeItem(row.label, vscode.TreeItemCollapsibleState[state]);
  item.id = id;
  item.description = row.description;
  item.tooltip = row.tooltip;
  item.accessibilityInformation = { label: row.spoken };
  const color = row.color === undefined ? undefined : new vscode.ThemeColor(row.color);
  item.iconPath = new vscode.ThemeIcon(row.icon, color);
  return item;
}
