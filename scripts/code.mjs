// Opens VS Code in the browser with Longview on a folder, until Ctrl-C. Everything comes from npm packages.
//   npm run code -- [DIR] [--port N] [--open]
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { ensureInstalled } from './ensure-installed.mjs';

/** One port, so that the browser finds its stored state (layout, conversations) again. */
const DEFAULT_PORT = '8439';

/** Written once, into a new profile; afterwards the user's. */
const FIRST_SETTINGS = {
  'workbench.startupEditor': 'none',
  'telemetry.telemetryLevel': 'off',
  'chat.disableAIFeatures': true,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { port: { type: 'string', default: DEFAULT_PORT }, open: { type: 'boolean', default: false } },
});
// npm runs scripts in the checkout; INIT_CWD is where the user stands.
const folder = path.resolve(process.env.INIT_CWD ?? process.cwd(), positionals[0] ?? '.');
if (!fs.statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
  process.stderr.write(`${folder} is not a folder. Name the folder to open: npm run code -- DIR\n`);
  process.exit(2);
}

ensureInstalled();
const { build } = await import('./build.mjs');
const { ensureHost } = await import('./host/install.mjs');
const { root } = await import('./host/paths.mjs');
const { startServer } = await import('./host/server.mjs');
const { workbenchUrl } = await import('./host/workbench-url.mjs');

await build();
const dataHome = process.env.XDG_DATA_HOME || path.join(os.homedir(), '.local/share');
const server = await startServer(ensureHost(), {
  dataDir: path.join(dataHome, 'longview/vscode'),
  port: await freePort(Number(values.port)),
  settings: FIRST_SETTINGS,
});
const url = workbenchUrl(server.port, { folder, dev: root });
process.stdout.write(`
VS Code with Longview on ${folder}:

  ${url}

Every user of this machine can open this address; no other machine can. Log: ${server.log}
Ctrl-C ends it.
`);
if (values.open) spawn('xdg-open', [url], { stdio: 'ignore', detached: true }).once('error', sayNotOpened);

await Promise.race(['SIGINT', 'SIGTERM', 'SIGHUP'].map((signal) => once(process, signal)));
await server.stop();
process.exit(0);

/** `wanted`, or 0 (any) where another program has it. */
async function freePort(wanted) {
  const probe = net.createServer().listen(wanted, '127.0.0.1');
  try {
    await once(probe, 'listening');
    return wanted;
  } catch (error) {
    if (error.code !== 'EADDRINUSE') throw error;
    process.stderr.write(
      `Port ${wanted} is taken; taking another. Stored layout and chats belong to ${wanted}.\n`,
    );
    return 0;
  } finally {
    probe.close();
  }
}

function sayNotOpened(error) {
  process.stderr.write(`No browser was opened (${error.message}). Open the address by hand.\n`);
}
