// The licences of everything in a package that others wrote, as those licences ask.
import fs from 'node:fs';
import path from 'node:path';
import { root } from '../host/paths.mjs';

/** Shipped as folders instead of being bundled. */
const SHIPPED_AS_FOLDERS = [
  'onnxruntime-node',
  'onnxruntime-common',
  '@vscode/ripgrep',
  '@vscode/ripgrep-linux-x64',
];

/** Compiled into the CUDA engine. */
const COMPILED_IN = 'node_modules/node-addon-api';
const CUDA_RUNTIME = `NVIDIA CUDA Runtime 13 (NVIDIA CUDA Toolkit End User License Agreement)

Linked statically into out/longview-cuda.node. https://docs.nvidia.com/cuda/eula/index.html
`;

/**
 * The text of THIRD_PARTY_NOTICES.txt.
 * @param {import('esbuild').Metafile[]} metafiles of the bundles
 * @param {boolean} withCuda whether the CUDA engine is in the package
 * @throws Error when a package names no licence
 */
export function thirdPartyNotices(metafiles, withCuda) {
  const files = metafiles.flatMap(({ inputs }) => Object.keys(inputs));
  const folders = new Set(SHIPPED_AS_FOLDERS.map((name) => `node_modules/${name}`));
  for (const file of files) {
    const folder = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0];
    if (folder) folders.add(folder);
  }
  if (withCuda) folders.add(COMPILED_IN);
  const notices = [...folders].sort().map(noticeOf);
  return [...notices, ...(withCuda ? [CUDA_RUNTIME] : [])].join(`\n${'-'.repeat(80)}\n\n`);
}

function noticeOf(folder) {
  const at = path.join(root, folder);
  const { name, version, license } = JSON.parse(fs.readFileSync(path.join(at, 'package.json'), 'utf8'));
  if (!license) throw new Error(`${name} ${version} names no licence in its package.json`);
  const file = fs.readdirSync(at).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
  const text = file ? fs.readFileSync(path.join(at, file), 'utf8').trim() : `Licence: ${license}`;
  return `${name} ${version} (${license})\n\n${text}\n`;
}
