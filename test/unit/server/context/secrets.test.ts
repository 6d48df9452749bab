import assert from 'node:assert/strict';
import { performance } from 'node:perf_hooks';
import { SecretScanner } from '../../../../server/context/secrets/secret-scanner';

// In pieces, so that no other scanner takes this file for a leak.
const AWS_KEY = ['wJalrXUtnFEMI', 'K7MDENG', 'bPxRfiCYzzzzzzzKEY'].join('/');
const GITHUB_TOKEN = ['ghp', 'wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx'].join('_');

suite('secret scanner', () => {
  test('names rule and line, and nothing of the secret', async () => {
    const text = `# settings\nname = x\naws_secret_access_key = ${AWS_KEY}\n\ntoken = ${GITHUB_TOKEN}\n`;
    const findings = await new SecretScanner().scan('a.env', 'h', text);
    assert.deepEqual(findings, [
      { rule: 'aws', line: 3 },
      { rule: 'github', line: 5 },
    ]);
  });

  test('ordinary source holds none, and a comment in the file can say so', async () => {
    const scanner = new SecretScanner();
    assert.deepEqual(await scanner.scan('a.ts', '1', 'const token = process.env.TOKEN;\n'), []);
    const allowed = `// secretlint-disable\nconst token = '${GITHUB_TOKEN}';\n`;
    assert.deepEqual(await scanner.scan('a.ts', '2', allowed), []);
  });

  test('the same text is scanned once', async () => {
    const scanner = new SecretScanner();
    const first = await scanner.scan('a.env', 'same', `token = ${GITHUB_TOKEN}\n`);
    assert.equal(first.length, 1);
    assert.equal(await scanner.scan('b/a.env', 'same', 'what stands behind a hash is that text'), first);
  });

  test('leaves no marks behind: a server runs for days', async () => {
    const scanner = new SecretScanner();
    for (let i = 0; i < 20; i++) await scanner.scan('a.ts', String(i), `let a${i};\n`);
    assert.deepEqual(performance.getEntriesByType('mark'), []);
  });
});
