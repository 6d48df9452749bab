import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { type Repository, workFolder } from './repositories';

const AIDER = 'aider-chat==0.86.2';
const SOURCE = path.join('bench', 'recall', 'aider');

interface AiderMap {
  tokens: number;
  /** The lines that the map shows of each file. */
  files: Record<string, string>;
}

export const aiderName = (): string => `repository map of ${AIDER.replace('==', ' ')}`;

/** aider's maps for each question and budget; one run for each content, since the same request gives the same maps. */
export function aiderMaps(
  { id, root, files, questions }: Repository,
  tokenizerJson: object,
  budgets: readonly number[],
): AiderMap[][] {
  const tokenizer = path.join(workFolder(), 'tokenizer.json');
  fs.writeFileSync(tokenizer, JSON.stringify({ ...tokenizerJson, added_tokens: [] }));
  const request = JSON.stringify({
    root,
    files: files.map(({ path: name }) => name),
    tokenizer,
    questions: questions.map(({ text }) => text),
    budgets,
  });
  const script = fs.readFileSync(path.join(SOURCE, 'repo_map.py'), 'utf8');
  const key = createHash('sha256').update(AIDER + script + request + JSON.stringify(files));
  const answers = path.join(workFolder(), `aider-${id}-${key.digest('hex').slice(0, 16)}.json`);
  if (!fs.existsSync(answers)) {
    const requestPath = path.join(workFolder(), `aider-${id}-request.json`);
    fs.writeFileSync(requestPath, request);
    execFileSync(install(), [path.join(SOURCE, 'repo_map.py'), requestPath, answers], {
      stdio: ['ignore', 'inherit', 'ignore'],
    });
  }
  return JSON.parse(fs.readFileSync(answers, 'utf8')) as AiderMap[][];
}

/** A virtual environment with aider and what its map needs; the Python in it. */
function install(): string {
  const environment = path.join(workFolder(), 'aider');
  const python = path.join(environment, 'bin', 'python');
  if (fs.existsSync(path.join(environment, 'installed'))) return python;
  const run = (command: string, args: string[]): void => {
    execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  };
  run('python3', ['-m', 'venv', environment]);
  run(python, ['-m', 'pip', 'install', '--quiet', '-r', path.join(SOURCE, 'requirements.txt')]);
  run(python, ['-m', 'pip', 'install', '--quiet', '--no-deps', AIDER]);
  fs.writeFileSync(path.join(environment, 'installed'), '');
  return python;
}
