import { strict as assert } from 'node:assert';
import { SourceFailure } from '../../../../../server/models/sources/model-source';
import { type Environment, proxyAuthorization, proxyFor } from '../../../../../server/models/sources/proxy';

function proxyOf(url: string, env: Environment): string | undefined {
  return proxyFor(new URL(url), env)?.href;
}

suite('proxyFor', () => {
  const env = { HTTPS_PROXY: 'http://secure:8080', http_proxy: 'plain:3128' };

  test('takes the variable of the scheme, in either case, with or without a scheme of its own', () => {
    assert.equal(proxyOf('https://huggingface.co/x', env), 'http://secure:8080/');
    assert.equal(proxyOf('http://mirror/x', env), 'http://plain:3128/');
    assert.equal(proxyOf('http://mirror/x', { ALL_PROXY: 'http://all:1' }), 'http://all:1/');
    assert.equal(proxyOf('http://mirror/x', { HTTP_PROXY: ' ' }), undefined);
    assert.equal(proxyOf('http://mirror/x', { HTTPS_PROXY: 'http://secure:8080' }), undefined);
  });

  const exemptions: [noProxy: string, url: string, direct: boolean][] = [
    ['*', 'https://huggingface.co', true],
    ['huggingface.co', 'https://huggingface.co', true],
    ['HuggingFace.co', 'https://cdn.huggingface.co', true],
    ['.huggingface.co', 'https://cdn.huggingface.co', true],
    ['*.huggingface.co', 'https://cdn.huggingface.co', true],
    ['localhost, huggingface.co', 'https://huggingface.co', true],
    ['huggingface.co:443', 'https://huggingface.co', true],
    ['huggingface.co:8443', 'https://huggingface.co', false],
    ['face.co', 'https://huggingface.co', false],
    ['huggingface.co', 'https://huggingface.com', false],
    ['', 'https://huggingface.co', false],
    ['huggingface.co:8443', 'https://huggingface.co:8443', true],
  ];
  for (const [noProxy, url, direct] of exemptions) {
    test(`NO_PROXY="${noProxy}" ${direct ? 'exempts' : 'does not exempt'} ${url}`, () => {
      assert.equal(proxyOf(url, { ...env, NO_PROXY: noProxy }) === undefined, direct);
    });
  }

  test('refuses what it cannot use, in words', () => {
    assert.throws(() => proxyOf('https://a', { HTTPS_PROXY: 'socks5://b:1080' }), SourceFailure);
    assert.throws(() => proxyOf('https://a', { HTTPS_PROXY: 'http://:port' }), /not a URL/);
  });

  test('decodes user and password', () => {
    const proxy = new URL('http://me%40work:p%3Aw@proxy:1');
    assert.equal(proxyAuthorization(proxy), `Basic ${Buffer.from('me@work:p:w').toString('base64')}`);
    assert.equal(proxyAuthorization(new URL('http://proxy:1')), undefined);
  });
});
