// Starts the VS Code server of the npm host on the loopback address and ends it with all its children.
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { userCacheDir } from './paths.mjs';

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 5000;

/**
 * Environment for a VS Code of our own. Variables of an editor whose terminal we may run in would make it
 * talk to that one; the cache folder stays the user's, so that models are not fetched once per run.
 */
export function cleanEnv(extra = {}) {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(VSCODE_|ELECTRON_)/.test(name) && name !== 'NODE_OPTIONS',
  );
  return { ...Object.fromEntries(kept), XDG_CACHE_HOME: userCacheDir(), ...extra };
}

/** The folders of one VS Code installation under `dataDir`, created when missing. */
function dataFolders(dataDir) {
  const folders = {
    userData: path.join(dataDir, 'data'),
    extensions: path.join(dataDir, 'extensions'),
    config: path.join(dataDir, 'config.yaml'),
    log: path.join(dataDir, 'server.log'),
    settings: path.join(dataDir, 'data/User/settings.json'),
    machineSettings: path.join(dataDir, 'data/Machine/settings.json'),
  };
  for (const file of [folders.settings, folders.machineSettings])
    fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.mkdirSync(folders.extensions, { recursive: true });
  if (!fs.existsSync(folders.config)) fs.writeFileSync(folders.config, '');
  return folders;
}

const folderArgs = ({ config, userData, extensions }) => [
  ...['--config', config],
  ...['--user-data-dir', userData],
  ...['--extensions-dir', extensions],
];

/**
 * Starts a server and waits until it listens.
 * @param {ReturnType<typeof import('./paths.mjs').partsOf>} parts the installed host
 * @param {object} options
 * @param {string} options.dataDir   settings, installed extensions and logs; keep it short, sockets lie in it
 * @param {number} [options.port]    0: any free port
 * @param {object} [options.settings] user settings, written only if there are none yet
 * @param {object} [options.machineSettings] settings of the machine, which win over the user's
 * @param {string} [options.vsix]    a package to install first
 * @param {string[]} [options.args]  more arguments for code-server
 * @param {Record<string, string>} [options.env] more environment for extensions
 */
export async function startServer(
  parts,
  { dataDir, port = 0, settings, machineSettings, vsix, args = [], env = {} },
) {
  const folders = dataFolders(dataDir);
  if (settings && !fs.existsSync(folders.settings)) {
    fs.writeFileSync(folders.settings, JSON.stringify(settings, null, 2));
  }
  if (machineSettings) fs.writeFileSync(folders.machineSettings, JSON.stringify(machineSettings, null, 2));
  // No gallery: nothing but this machine is asked for extensions.
  const childEnv = cleanEnv({ EXTENSIONS_GALLERY: '{"serviceUrl":"","itemUrl":""}', ...env });
  if (vsix) {
    const install = [...folderArgs(folders), '--install-extension', path.resolve(vsix)];
    execFileSync(parts.node, [parts.codeServerEntry, ...install], {
      env: childEnv,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }
  const log = fs.openSync(folders.log, 'w');
  const child = spawn(
    parts.node,
    [
      parts.codeServerEntry,
      ...folderArgs(folders),
      ...['--bind-addr', `127.0.0.1:${port}`],
      ...['--auth', 'none', '--disable-telemetry', '--disable-update-check'],
      ...['--disable-getting-started-override', '--ignore-last-opened'],
      ...args,
    ],
    // A process group of its own, so that stop() takes extension hosts, watchers and terminals along.
    { env: childEnv, stdio: ['ignore', log, log], detached: true },
  );
  fs.closeSync(log);
  const stop = stopper(child);
  try {
    return { port: await listeningPort(child, folders.log), pid: child.pid, log: folders.log, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The port that the log names. */
async function listeningPort(child, logFile) {
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (Date.now() < deadline && child.exitCode === null) {
    const found = /listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(fs.readFileSync(logFile, 'utf8'));
    if (found) return Number(found[1]);
    await sleep(50);
  }
  throw new Error(`The VS Code server did not start:\n${fs.readFileSync(logFile, 'utf8')}`);
}

/** Ends the process group of `child`: politely, then for good; also when this process exits first. */
function stopper(child) {
  const signalGroup = (signal) => {
    try {
      process.kill(-child.pid, signal);
    } catch (error) {
      if (error.code !== 'ESRCH') throw error;
    }
  };
  const killGroup = () => signalGroup('SIGKILL');
  process.once('exit', killGroup);
  return async () => {
    if (child.exitCode === null && child.signalCode === null) {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      signalGroup('SIGTERM');
      await Promise.race([gone, sleep(STOP_TIMEOUT_MS, undefined, { ref: false })]);
    }
    killGroup();
    process.off('exit', killGroup);
  };
}
