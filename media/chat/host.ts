import type { ChatViewMessage } from '../../protocol';

/** What VS Code gives to the page of a webview, once. */
interface WebviewApi {
  postMessage(message: unknown): void;
  getState(): unknown;
  setState(state: unknown): void;
}

declare function acquireVsCodeApi(): WebviewApi;

/** What the page itself remembers; the extension keeps the conversation. */
export interface PageState {
  /** The question that is being written. */
  draft: string;
}

/** The extension, as the page sees it. */
export class Host {
  private readonly api = acquireVsCodeApi();

  send(message: ChatViewMessage): void {
    this.api.postMessage(message);
  }

  get state(): PageState {
    const stored = this.api.getState();
    const draft = typeof stored === 'object' && stored !== null && 'draft' in stored ? stored.draft : '';
    return { draft: typeof draft === 'string' ? draft : '' };
  }

  set state(state: PageState) {
    this.api.setState(state);
  }
}
