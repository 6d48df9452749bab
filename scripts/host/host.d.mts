import type { Page } from 'playwright-core';

export interface HostOptions {
  /** Folder to open. */
  folder?: string;
  /** Or: a `.code-workspace` file. Neither: an empty window. */
  workspace?: string;
  /** Extension under development: a folder with a package.json. */
  dev?: string;
  /** Or: a package to install first. */
  vsix?: string;
  /** Compiled module that exports `run()`, started inside the extension host. */
  tests?: string;
  /** User settings on top of the quiet ones. */
  settings?: Record<string, unknown>;
  /** More environment for the extension host. */
  env?: Record<string, string>;
  /** The folder is not trusted: VS Code runs in Restricted Mode. */
  restricted?: boolean;
  /** In CSS pixels. */
  viewport?: { width: number; height: number };
}

/** One isolated VS Code with its workbench open in Chromium. */
export interface Host {
  page: Page;
  /** Exit code of the extension tests. */
  exited: Promise<number>;
  /** What the workbench and the extension host logged so far. */
  console: string[];
  url: string;
  /** User data, extensions and logs. */
  runDir: string;
  serverPid: number;
  /** Ends every process; `keep` leaves `runDir` for a look. */
  stop(options?: { keep?: boolean }): Promise<void>;
}

export const TEST_SETTINGS: Readonly<Record<string, unknown>>;
export function startHost(options: HostOptions): Promise<Host>;
/** Waits until the workbench is restored after a reload of `page`. */
export function whenRestored(page: Page): Promise<void>;
