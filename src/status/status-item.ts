import * as vscode from 'vscode';
import { type StatusFacts, statusText } from './format';

/** The one status-bar item. Draws only when its words change. */
export class StatusItem implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem(
    'longview.ttft',
    vscode.StatusBarAlignment.Left,
    0,
  );
  private drawn = '';

  constructor(command: string) {
    this.item.name = 'Longview';
    this.item.command = command;
  }

  draw(facts: StatusFacts, isVisible: boolean): void {
    const words = statusText(facts);
    const drawn = JSON.stringify([words, isVisible]);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    this.item.text = words.text;
    this.item.tooltip = new vscode.MarkdownString(words.tooltip, true);
    this.item.accessibilityInformation = { label: words.spoken, role: 'button' };
    if (isVisible) this.item.show();
    else this.item.hide();
  }

  dispose(): void {
    this.item.dispose();
  }
}
