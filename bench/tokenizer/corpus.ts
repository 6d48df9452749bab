import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';

/**
 * Source files of pinned development packages with their SHA-256, so that anyone measures the same text:
 * TypeScript, JavaScript and Markdown as people write them, nothing minified.
 */
const FILES: readonly (readonly [file: string, sha256: string])[] = [
  ['typescript/lib/lib.es5.d.ts', 'c430d44666289dae81f30fa7b2edebf186ecc91a2d4c71266ea6ae76388792e1'],
  ['typescript/lib/lib.webworker.d.ts', '6d08cde2bfb6ff909efbf7cb7d6d55be412cf4b9f48fd0430185986973fa91f5'],
  ['zod/src/v4/core/schemas.ts', '9a495df5c8e614f1435f8f79618e768e9f3e5a2bc76d784b2c060f51c8e0312e'],
  ['zod/src/v3/types.ts', '73b9529564a34fc028a5a62c17e09148747b737039b78b124e84254cb886411a'],
  [
    'zod/src/v4/classic/tests/to-json-schema.test.ts',
    'a26ba5e1f1e8be31fdd65b1d2ca6e481832faa2f16ea58f231d616dc8eb4120a',
  ],
  ['zod/src/v4/core/compile.ts', '6c2a8810813117e864a95dd1e8512af7ce53e6b4b02d1f0dbc1dfa78850afff0'],
  ['dompurify/src/purify.ts', '07a1934414432ccc38d17d2f54cb6a55f9e8f5d3b87abd3af7c0c73c9944cc47'],
  ['minisearch/src/MiniSearch.ts', 'f13e267bb854feb5e2e6f528baf5286db5efaf40f4e07baa2da2c158b2a22fc6'],
  ['@huggingface/jinja/src/runtime.ts', 'c7947cab096c38fa1232839ebe222c4a22d500532ceab5724d06f65d76d8ce6a'],
  ['lodash/lodash.js', 'f5465f55566bf544aad0a31c6135889ca1ed81eea8f53ec61c6cbe86926f07cf'],
  ['mocha/mocha.js', '3a5dde237edd92b551696f60dbfbbb41224f5bb7beaadb7dd2f3b88b368ea024'],
  ['acorn/dist/acorn.js', '2261c5f0e4abe860e889dfc67081683a4ba4d27deb7f4cbc8ad06a1b7fdd510c'],
  ['markdown-it/dist/markdown-it.cjs.js', '88823633efcb1a1f15f93553d7736d9f08275ea9ba38a21cf36bc5bf087bb496'],
  ['js-yaml/dist/js-yaml.js', 'd4370eaa1b657d25595f0b426de5372de8f001661415ceac8ba043c1c06de7d2'],
  [
    'highlight.js/lib/languages/mathematica.js',
    'e2459e929421722dff53a63cdafc64b84dd7886a6279b8098035f04b46703410',
  ],
  ['highlight.js/CHANGES.md', '901d5d62f8e87cbbc79a3599d709fe5d532d7d9311e96a61319d644dc11dc53a'],
  ['dompurify/README.md', 'a5e204d09cb5ae3224e51034467ac24f58ff6572ae2f60ed62ad900ef05472bf'],
  ['undici/docs/docs/api/Dispatcher.md', '0ab6e9a16ac733bb2e2c6021d68cc6eaedda6b59155d68af734d83d6d0e3cb3d'],
];

/** The texts to encode. @throws Error when an installed file is not the pinned one */
export async function readCorpus(): Promise<string[]> {
  return Promise.all(
    FILES.map(async ([file, sha256]) => {
      const bytes = await readFile(path.join('node_modules', file));
      const found = createHash('sha256').update(bytes).digest('hex');
      if (found !== sha256) throw new Error(`${file} is not the pinned file; run npm ci`);
      return bytes.toString('utf8');
    }),
  );
}
