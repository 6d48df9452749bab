// Time to first token of a question on a repository that was computed ahead, and after an edit, at the server's protocol.
//   npm run bench -- warm [cpu|cuda]      default: cpu
//   LONGVIEW_SERVER   the server to measure; default: out/server.js
//   LONGVIEW_MODEL    the GGUF file; default: that of the device in the cache folder
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { AskOptions, TtftRecord } from '../../protocol';
import { driverVersion } from '../driver';
import { type BenchRow, commitUnderTest, cpuDevice, spreadOf, writeRecord } from '../record';
import { Session, type SessionSetting } from './session';
import { writeRepository } from './workload';

interface Scenario {
  id: string;
  /** Tokens of the repository. */
  repositoryTokens: number;
  contextTokens: number;
  edits: boolean;
  /** Also after a restart, from disk. */
  restart: boolean;
  attention: AskOptions['attention'];
  what: string;
}

/** More than the longest prompt takes. */
const DISK_BYTES = 16e9;

const QUESTIONS = [
  'Which parts make up this program?',
  'Where are errors translated for the user, and by what?',
  'How is a file that cannot be read reported?',
];

const CPU: Scenario[] = [
  {
    id: 'warm.cpu',
    repositoryTokens: 3000,
    contextTokens: 4096,
    edits: true,
    restart: true,
    attention: 'dense',
    what: 'the whole repository fits into the default context',
  },
  {
    id: 'warm.cpu.partial',
    repositoryTokens: 60_000,
    contextTokens: 4096,
    edits: false,
    restart: false,
    attention: 'dense',
    what: 'the repository does not fit: the base is warm, the files ranked for the question are computed',
  },
];
const CUDA: Scenario[] = (['auto', 'dense'] as const).map((attention) => ({
  id: attention === 'auto' ? 'warm.100k' : `warm.100k.${attention}`,
  repositoryTokens: 100_000,
  contextTokens: 116_000,
  edits: attention === 'auto',
  restart: attention === 'auto',
  attention,
  what: `the whole repository fits, attention ${attention}`,
}));

async function main(): Promise<void> {
  const commit = commitUnderTest();
  const device: Run['device'] = process.argv[2] === 'cuda' ? 'cuda' : 'cpu';
  const cacheDir =
    process.env.LONGVIEW_CACHE_DIR ??
    path.join(process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache'), 'longview');
  const id = device === 'cuda' ? 'qwen2.5-coder-1.5b-instruct-q4_k_m' : 'qwen2.5-coder-0.5b-instruct-q4_k_m';
  const file = process.env.LONGVIEW_MODEL ?? path.join(cacheDir, 'models', id, 'model.gguf');
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'longview-warm-'));
  try {
    const rows: BenchRow[] = [];
    let deviceName = '';
    let isDense = false;
    for (const scenario of device === 'cuda' ? CUDA : CPU) {
      // What "auto" came to was measured already.
      if (device === 'cuda' && isDense && scenario.attention === 'dense') continue;
      const run = { scenario, device, modelPath: file, cacheDir, folder };
      const measured = await measure(run).catch((error: unknown) => {
        console.error(`${scenario.id}: ${String(error)}`);
        process.exitCode = 1;
      });
      if (!measured) continue;
      isDense = measured.warm.every(({ attention }) => attention === 'dense');
      rows.push(...rowsOf(scenario, measured));
      deviceName = measured.warm[0]?.device ?? '';
    }
    await writeRecord(deviceName.includes('H200') ? 'h200' : device, {
      bench: 'warm',
      commit,
      date: new Date().toISOString(),
      device: device === 'cpu' ? cpuDevice() : deviceName,
      driver: device === 'cpu' ? `node ${process.version}` : driverVersion(),
      rows,
    });
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

interface Run {
  scenario: Scenario;
  device: 'cpu' | 'cuda';
  modelPath: string;
  cacheDir: string;
  folder: string;
}

interface Measured {
  cold: TtftRecord;
  warm: TtftRecord[];
  edited: TtftRecord[];
  restarted: TtftRecord[];
  storedBytes: number;
  warmingMs: number;
}

async function measure({ scenario, device, modelPath, cacheDir, folder }: Run): Promise<Measured> {
  const repository = path.join(folder, scenario.id);
  const names = await writeRepository(modelPath, repository, scenario.repositoryTokens);
  const setting = {
    serverPath: path.resolve(process.env.LONGVIEW_SERVER ?? 'out/server.js'),
    cacheDir,
    repository,
    prefixCacheBytes: 0,
    options: {
      model: modelPath,
      device,
      attention: scenario.attention,
      quality: 'balanced' as const,
      contextTokens: scenario.contextTokens,
      maxAnswerTokens: device === 'cuda' ? 64 : 512,
      sampling: { temperature: 0, topP: 1, topK: 0, stop: ['\n'] },
    },
  };
  const question = QUESTIONS[0] ?? '';
  const cold = await Session.with(setting, async (session) => (await session.ask(question)).record);
  const ahead = await Session.with(setting, (session) => measureAhead(session, scenario, repository, names));
  const restarted = scenario.restart ? await measureRestart(setting) : { restarted: [], storedBytes: 0 };
  return { cold, ...ahead, ...restarted };
}

async function measureAhead(session: Session, scenario: Scenario, repository: string, names: string[]) {
  const warmingMs = await session.warm();
  await session.rest();
  const warm: TtftRecord[] = [];
  for (const question of QUESTIONS) warm.push((await session.ask(question)).record);
  const edited: TtftRecord[] = [];
  for (const [index, question] of scenario.edits ? QUESTIONS.entries() : []) {
    edit(path.join(repository, names[Math.floor(names.length / 2) + index] ?? ''));
    await session.sync();
    edited.push((await session.ask(question)).record);
    await session.warm();
    await session.rest();
  }
  return { warm, edited, warmingMs };
}

/** The first question to a server that finds the repository on disk. */
async function measureRestart(setting: SessionSetting) {
  const storing = { ...setting, prefixCacheBytes: DISK_BYTES };
  const storedBytes = await Session.with(storing, async (session) => {
    await session.warm();
    return session.stored();
  });
  const record = await Session.with(storing, async (session) => {
    const answered = await session.ask(QUESTIONS[0] ?? '');
    await session.purge();
    return answered.record;
  });
  return { restarted: [record], storedBytes };
}

function edit(file: string): void {
  const lines = fs.readFileSync(file, 'utf8').split('\n');
  lines.splice(Math.floor(lines.length / 2), 0, '// Edited a moment ago.');
  fs.writeFileSync(file, lines.join('\n'));
}

function rowsOf(scenario: Scenario, measured: Measured): BenchRow[] {
  const { cold, warm, edited, restarted, storedBytes, warmingMs } = measured;
  const coldMs = cold.ttftMs - cold.stagesMs.load;
  const row = (id: string, records: readonly TtftRecord[], what: string): BenchRow => {
    const spread = spreadOf(records.map(({ ttftMs, stagesMs }) => ttftMs - stagesMs.load));
    const counts = records.map(({ promptTokens, cachedTokens }) => `${cachedTokens}/${promptTokens}`);
    const stages = records.map(
      ({ stagesMs }) => `${stagesMs.context}+${stagesMs.prefill}+${stagesMs.firstToken}`,
    );
    return {
      id,
      value: spread.median,
      unit: 'ms',
      peer: 'the same question on a repository that was not computed, model loaded',
      peerValue: coldMs,
      ratio: coldMs / spread.median,
      ...spread,
      note: `${what}; ${scenario.what}; reused ${counts.join(', ')} tokens; context + prefill + first token ms ${stages.join(', ')}; ${records[0]?.attention ?? ''} attention`,
    };
  };
  const editId = scenario.id.replace('warm', 'edit');
  return [
    row(`${scenario.id}.ttft`, warm, `${warm.length} questions`),
    ...(edited.length > 0
      ? [row(`${editId}.ttft`, edited, 'each after an edit of another file in the middle')]
      : []),
    ...(restarted.length > 0
      ? [
          row(
            scenario.id.replace('warm', 'restart') + '.ttft',
            restarted,
            `first question after a restart, model loaded, ${Math.round(storedBytes / 1e6)} MB from ${restarted[0]?.cacheSource ?? ''}`,
          ),
        ]
      : []),
    {
      id: `${scenario.id}.warming`,
      value: warmingMs,
      unit: 'ms',
      note: 'from the file list to warm, with the load of the model',
    },
  ];
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
