import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type PlantedRepository, plantRepository, writeRepository } from '../truth/planted-repository';

/** A folder on disk that is removed with its tests. */
export interface Workspace {
  dir: string;
  dispose: () => void;
}

/** Thirty files that no model has seen: more than a CPU context holds, so that reading takes a while. */
export function plantedWorkspace(): Workspace & { planted: PlantedRepository } {
  const planted = plantRepository();
  const workspace = emptyWorkspace();
  writeRepository(planted, workspace.dir);
  return { ...workspace, planted };
}

/** The calculator of the fixtures: three small files. */
export function smallWorkspace(): Workspace {
  const workspace = emptyWorkspace();
  fs.cpSync(path.resolve(__dirname, '../../../../test/fixtures/small-repo'), workspace.dir, {
    recursive: true,
  });
  return workspace;
}

function emptyWorkspace(): Workspace {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'lv-repo-'));
  return { dir, dispose: () => fs.rmSync(dir, { recursive: true, force: true }) };
}
