// Keeps what the documents repeat equal to its source.
//   node scripts/check-docs.mjs [--write]     --write: puts the tables into README.md and docs/PERFORMANCE.md
// README.md lists the settings of package.json; docs/PERFORMANCE.md the figures of bench/results; docs/ARCHITECTURE.md
// names every message of protocol/ and only files that are there.
import fs from 'node:fs';
import path from 'node:path';
import * as esbuild from 'esbuild';
import { PERFORMANCE, performancePage, unexplainedFigures } from './docs/performance.mjs';
import { root } from './host/paths.mjs';

const README = 'README.md';
const ARCHITECTURE = 'docs/ARCHITECTURE.md';
const SETTINGS = /(<!-- settings:begin -->\n)[\s\S]*?(<!-- settings:end -->)/;

const read = (file) => fs.readFileSync(path.join(root, file), 'utf8');

/** `README.md` with the settings table that package.json asks for. */
function readmeWithSettings() {
  const readme = read(README);
  if (!SETTINGS.test(readme))
    throw new Error(`${README} has no <!-- settings:begin --> … <!-- settings:end -->`);
  return readme.replace(SETTINGS, (_all, begin, end) => `${begin}${settingsTable()}${end}`);
}

function settingsTable() {
  const { configuration } = JSON.parse(read('package.json')).contributes;
  const rows = [configuration ?? []]
    .flat()
    .flatMap(({ properties }) => Object.entries(properties))
    .map(([name, setting]) => `| \`${name}\` | ${defaultOf(setting)} | ${descriptionOf(setting)} |\n`);
  return ['| setting | default | what it does |\n', '|---|---|---|\n', ...rows].join('');
}

function defaultOf(setting) {
  const text = JSON.stringify(setting.default);
  return text === undefined || text === '""' || text === 'null' ? '' : `\`${text.replaceAll('|', '\\|')}\``;
}

function descriptionOf({ description, markdownDescription }) {
  return (markdownDescription ?? description ?? '').replaceAll('|', '\\|').replaceAll('\n', ' ');
}

/** Method names that `protocol/` exports, from the module itself. */
async function protocolMethods() {
  const { outputFiles } = await esbuild.build({
    absWorkingDir: root,
    entryPoints: ['protocol/index.ts'],
    bundle: true,
    format: 'esm',
    write: false,
  });
  const code = Buffer.from(outputFiles[0].contents).toString('base64');
  const exported = await import(`data:text/javascript;base64,${code}`);
  return Object.values(exported).flatMap((value) => (value?.method ? [value.method] : []));
}

/** Messages that only one side knows, in words. */
async function protocolFaults() {
  const text = read(ARCHITECTURE);
  const methods = await protocolMethods();
  const named = new Set(text.match(/longview\/[A-Za-z/]+/g));
  return [
    ...methods.filter((method) => !named.has(method)).map((m) => `${ARCHITECTURE} does not name ${m}`),
    ...[...named]
      .filter((m) => !methods.includes(m))
      .map((m) => `${ARCHITECTURE} names ${m}, which protocol/ lacks`),
  ];
}

/** Files that the page names, by their whole path or by their name alone, and that are gone. */
function pathFaults() {
  const text = read(ARCHITECTURE);
  const whole = text.match(/(?<=`)[a-z][\w-]*(?:\/[\w.-]+)+\.[a-z]+(?=`)/g) ?? [];
  const bare = text.match(/(?<=`)[a-z][\w-]*\.(?:ts|mjs|cjs|cc|cu|h)(?=`)/g) ?? [];
  const sources = new Set(['media', 'protocol', 'server', 'src'].flatMap(namesUnder));
  return [
    ...whole.filter((file) => !file.startsWith('out/') && !fs.existsSync(path.join(root, file))),
    ...bare.filter((name) => !sources.has(name)),
  ].map((file) => `${ARCHITECTURE} names ${file}, which is not there`);
}

function namesUnder(folder) {
  const files = fs.readdirSync(path.join(root, folder), { recursive: true });
  return files.map((file) => path.basename(file));
}

const faults = [...(await protocolFaults()), ...pathFaults(), ...unexplainedFigures()];
const wanted = { [README]: readmeWithSettings(), [PERFORMANCE]: performancePage() };
for (const [file, text] of Object.entries(wanted)) {
  if (process.argv.includes('--write')) fs.writeFileSync(path.join(root, file), text);
  else if (text !== read(file))
    faults.push(`the table in ${file} is not what it is made from. Run \`npm run docs\`.`);
}
if (faults.length) {
  process.stderr.write(`${faults.join('\n')}\n`);
  process.exit(1);
}
