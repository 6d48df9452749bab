// Makes out/longview-<target>.vsix and refuses one that holds too much or too little.
//   npm run package [-- --cuda-optional]      --cuda-optional: also where `npm run build:cuda` has not been run
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { ensureInstalled } from './ensure-installed.mjs';

ensureInstalled();
const { createVSIX, listFiles } = await import('@vscode/vsce');
const { build } = await import('./build.mjs');
const { root } = await import('./host/paths.mjs');
const { thirdPartyNotices } = await import('./packaging/notices.mjs');

/** The platform whose binaries `.vscodeignore` lets in. */
const TARGET = 'linux-x64';
const SIZE_LIMIT_BYTES = 32 * 2 ** 20;
/** The CUDA engine with all architectures. */
const ADDON = 'out/longview-cuda.node';
const ADDON_LIMIT_BYTES = 15e6;

const { values } = parseArgs({ options: { 'cuda-optional': { type: 'boolean', default: false } } });

/** Without one of these the extension does not answer. */
const NEEDED = [
  /^package\.json$/,
  /^LICENSE$/,
  /^out\/THIRD_PARTY_NOTICES\.txt$/,
  /^out\/extension\.js$/,
  /^out\/connect-server\.js$/,
  /^out\/list-worker\.js$/,
  /^out\/server\.js$/,
  /^out\/context-worker\.js$/,
  /^out\/scan-worker\.js$/,
  /^out\/grammars\/tree-sitter\.wasm$/,
  /^out\/grammars\/tree-sitter-typescript\.wasm$/,
  /^out\/engine-host\.js$/,
  /^out\/cli\.js$/,
  /^out\/webview\/chat\.js$/,
  /^node_modules\/onnxruntime-node\/bin\/napi-v\d+\/linux\/x64\/libonnxruntime\.so\.1$/,
  /^node_modules\/onnxruntime-node\/bin\/napi-v\d+\/linux\/x64\/onnxruntime_binding\.node$/,
  /^node_modules\/@vscode\/ripgrep-linux-x64\/bin\/rg$/,
];

/** Weights belong to the user's cache; the rest to the checkout. */
const FORBIDDEN = [
  /\.(gguf|safetensors|onnx|bin|whl)$/,
  /\.(ts|map|vsix)$/,
  /^(test|bench|scripts|kernels)\//,
];

const results = await build({ production: true });
const addonBytes = fs.statSync(path.join(root, ADDON), { throwIfNoEntry: false })?.size;
if (addonBytes === undefined) {
  process.stderr.write(`Without the CUDA engine (${ADDON}): \`npm run build:cuda\` makes it.\n`);
  if (!values['cuda-optional']) process.exit(1);
}
fs.writeFileSync(
  path.join(root, 'out/THIRD_PARTY_NOTICES.txt'),
  thirdPartyNotices(
    results.map(({ metafile }) => metafile),
    addonBytes !== undefined,
  ),
);
const files = await listFiles({ cwd: root });
const packagePath = path.join(root, `out/longview-${TARGET}.vsix`);
await createVSIX({ cwd: root, target: TARGET, packagePath });

const faults = faultsOf(files, fs.statSync(packagePath).size);
if (faults.length) {
  fs.rmSync(packagePath);
  process.stderr.write(`${faults.join('\n')}\nThe package was removed. See .vscodeignore.\n`);
  process.exit(1);
}

function faultsOf(names, sizeBytes) {
  const mebibytes = (bytes) => (bytes / 2 ** 20).toFixed(1);
  return [
    ...NEEDED.filter((pattern) => !names.some((name) => pattern.test(name))).map(
      (p) => `nothing matches ${p}`,
    ),
    ...names
      .filter((name) => FORBIDDEN.some((pattern) => pattern.test(name)))
      .map((name) => `${name} does not belong in a package`),
    ...(addonBytes === undefined || names.includes(ADDON) ? [] : [`${ADDON} was left out`]),
    ...((addonBytes ?? 0) > ADDON_LIMIT_BYTES
      ? [`${ADDON} has ${mebibytes(addonBytes)} MiB, more than ${mebibytes(ADDON_LIMIT_BYTES)}`]
      : []),
    ...(sizeBytes > SIZE_LIMIT_BYTES
      ? [`the package has ${mebibytes(sizeBytes)} MiB, more than ${mebibytes(SIZE_LIMIT_BYTES)}`]
      : []),
  ];
}
