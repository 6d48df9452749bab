// Checks the layers of kernels/: each folder may include only the folders listed for it.
//   node scripts/cuda/check-includes.mjs
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const kernels = fileURLToPath(new URL('../../kernels', import.meta.url));

const ALLOWED = {
  common: ['common'],
  reference: ['reference'],
  quant: ['common', 'quant'],
  attention: ['common', 'attention'],
  capi: ['common', 'attention', 'capi'],
  gemm: ['common', 'gemm'],
  decoder: ['common', 'quant', 'attention', 'gemm', 'decoder'],
  addon: ['common', 'decoder', 'addon'],
};

/** What is wrong with one include; undefined where nothing is. */
function problemOf(folder, header) {
  const room = header.split('/')[0];
  if (header.split('/').includes('..')) return 'includes start at kernels/, not with ".."';
  if (room in ALLOWED && !ALLOWED[folder].includes(room)) return `${folder}/ may not include ${room}/`;
  if (/^(napi|node_api)/.test(header) && folder !== 'addon') return 'Node-API belongs in addon/ only';
  if (/^(cuda|cublas)/.test(header) && folder === 'reference') return 'reference/ must build without CUDA';
  return undefined;
}

function problemsOf(file) {
  const relative = path.relative(kernels, file);
  const folder = relative.split(path.sep)[0];
  if (!(folder in ALLOWED)) return [`${relative}: ${folder}/ is not a known folder of kernels/`];
  const lines = fs.readFileSync(file, 'utf8').split('\n');
  return lines.flatMap((line, index) => {
    const header = /^\s*#\s*include\s*[<"]([^>"]+)[>"]/.exec(line)?.[1];
    const problem = header && problemOf(folder, header);
    return problem ? [`${relative}:${index + 1}: ${problem}`] : [];
  });
}

const sources = fs
  .readdirSync(kernels, { recursive: true })
  .filter((name) => /\.(cu|cuh|h|cc)$/.test(name))
  .map((name) => path.join(kernels, name));
const problems = sources.flatMap(problemsOf);
process.stdout.write(
  problems.length ? `${problems.join('\n')}\n` : `${sources.length} files: includes are in order\n`,
);
process.exitCode = problems.length ? 1 : 0;
