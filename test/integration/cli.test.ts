import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { ensureModel } from './support/models';
import { builtFile, FAST_MODEL } from './support/places';
import { fillerSource, type TempRepository, tempRepository } from './support/server';

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

function longview(...args: string[]): { child: ChildProcess; ended: Promise<Ended> } {
  const child = spawn(process.execPath, [builtFile('cli.js'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)]).then(
    ([[code], stdout, stderr]) => ({ code: code as number | null, stdout, stderr }),
  );
  return { child, ended };
}

suite('the longview command', () => {
  let repo: TempRepository;

  suiteSetup(async () => {
    await ensureModel(FAST_MODEL);
    repo = await tempRepository({
      'README.md': '# Station\n\nThe launch word of the station is "marigold-41".\n',
      'src/big.ts': fillerSource('big', 60),
    });
  });
  suiteTeardown(() => repo.dispose());

  const ask = (...more: string[]) =>
    longview('ask', '--repo', repo.path, '--model', FAST_MODEL, '--context', '1024', ...more);

  test('--json prints one object with everything measured', async () => {
    const { code, stdout, stderr } = await ask('--max-tokens', '12', '--json', 'What is the launch word?')
      .ended;
    assert.equal(code, 0, stderr);
    const report = JSON.parse(stdout) as Record<string, unknown>;
    assert.equal(typeof report['answer'], 'string');
    assert.equal(report['model'], FAST_MODEL);
    assert.equal(report['backend'], 'onnx');
    assert.ok((report['ttftMs'] as number) > 0);
    assert.ok((report['promptTokens'] as number) <= 1024 - 12);
    assert.equal((report['included'] as { path: string }[]).at(0)?.path, 'README.md');
    assert.match(stderr, /Prefill \d+% of/);
  });

  test('a file that may hold a secret is held back and named, and sent with --allow-secrets', async () => {
    // In pieces, so that no other scanner takes this file for a leak.
    const token = ['ghp', 'wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx'].join('_');
    const leaky = await tempRepository({ 'a.md': 'Words.\n', 'deploy.env': `GITHUB=${token}\n` });
    try {
      const about = [
        'ask',
        '--repo',
        leaky.path,
        '--model',
        FAST_MODEL,
        '--context',
        '1024',
        '--max-tokens',
        '4',
        'Which?',
      ];
      const held = await longview(...about).ended;
      assert.match(held.stdout, /1 of 2 files, [^]*Held back[^]* deploy\.env: github in line 1\n/);
      assert.ok(!(held.stdout + held.stderr).includes(token));
      const sent = await longview(...about, '--allow-secrets').ended;
      assert.match(sent.stdout, /2 of 2 files/);
    } finally {
      await leaky.dispose();
    }
  });

  test('text ends with the files and the TTFT', async () => {
    const { code, stdout } = await ask('--max-tokens', '12', 'What is the launch word?').ended;
    assert.equal(code, 0);
    assert.match(stdout, /\d of 2 files( whole, \d by signatures)?, [\d,]+ tokens/);
    assert.match(stdout, /TTFT [\d.]+m?s/);
  });

  test('--attach takes a file along, counted, and refuses what does not fit before it is read', async () => {
    const { code, stdout, stderr } = await ask(
      ...['--attach', 'README.md', '--max-tokens', '12', '--json', 'What is the launch word?'],
    ).ended;
    assert.equal(code, 0, stderr);
    const report = JSON.parse(stdout) as { included: { path: string; tokens: number; reason: string }[] };
    const file = report.included.find(({ path }) => path === 'README.md');
    assert.equal(file?.reason, 'attached');
    assert.match(stderr, new RegExp(`Attached README\\.md: ${file.tokens} tokens`));
    const refused = await ask('--attach', 'src', 'What?').ended;
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /needs [\d,]+ tokens; 512 fit\./);
    assert.doesNotMatch(refused.stderr, /Prefill/);
    assert.equal((await ask('--attach', 'nowhere', 'What?').ended).code, 2);
  });

  for (const [what, flags, message] of [
    ['sample attention', ['--attention', 'sample'], /Sample attention is not available: .*CUDA/],
    ['a GPU', ['--device', 'cuda'], /"cuda" is not available: /],
  ] as const)
    test(`${what} that is not there is an error with the reason, never replaced`, async () => {
      const { code, stdout, stderr } = await ask(...flags, '--json', 'What?').ended;
      assert.equal(code, 1);
      assert.match(stderr, message);
      const { error, answer } = JSON.parse(stdout) as { error: { action: string }; answer?: string };
      assert.equal(answer, undefined);
      assert.match(error.action, /^Choose/);
    });

  test('Ctrl-C ends it with 130', async () => {
    const { child, ended } = ask('--max-tokens', '600', '--context', '4096', 'Tell a very long story.');
    await new Promise<void>((resolve) => {
      child.stderr?.on('data', (data: Buffer) => {
        if (data.toString().includes('Prefill')) resolve();
      });
    });
    child.kill('SIGINT');
    assert.equal((await ended).code, 130);
  });

  test('wrong usage is 2, help and version are 0', async () => {
    const wrong = await longview('ask', '--fast').ended;
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /--fast/);
    const help = await longview('--help').ended;
    assert.equal(help.code, 0);
    assert.match(help.stdout, /longview ask/);
    const version = await longview('--version').ended;
    assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/);
  });

  test('lists the models and which are here', async () => {
    const { code, stdout } = await longview('models').ended;
    assert.equal(code, 0);
    assert.match(stdout, new RegExp(`^${FAST_MODEL}: ready$`, 'm'));
    assert.match(stdout, /\(default\)/);
  });
});
