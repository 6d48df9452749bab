import { bytesText, countText, ImportModel, ListModels, type ModelInfo } from '../../protocol';
import type { ServerConnection } from '../client/server-connection';
import type { ModelsCommand } from './arguments';
import { downloadModel, type Terminal } from './ask-command';

/** Lists, downloads or imports models. @throws RequestCancelledError, ServerError */
export async function runModels(
  command: ModelsCommand,
  connection: ServerConnection,
  { print, progress }: Terminal,
  signal: AbortSignal,
): Promise<void> {
  switch (command.action) {
    case 'list': {
      const { models } = await connection.request(ListModels, { device: 'auto' }, { signal });
      print(models.map(modelLines).join('\n'));
      return;
    }
    case 'download':
      print(`${await downloadModel(command.id, connection, progress, signal)}\n`);
      return;
    case 'import': {
      progress.update('Verifying the file');
      const { id } = await connection.request(ImportModel, { path: command.path }, { signal });
      progress.clear();
      print(`${id}\n`);
      return;
    }
  }
}

const STATE_WORDS = { missing: 'not downloaded', partial: 'partly downloaded', ready: 'ready' } as const;

function modelLines(model: ModelInfo): string {
  const { trainedContextTokens, longestContextTokens } = model;
  const yarn =
    longestContextTokens > trainedContextTokens ? `, up to ${countText(longestContextTokens)} with YaRN` : '';
  const sources = model.sources.map(({ name, thirdParty }) => `${name}${thirdParty ? ' (third party)' : ''}`);
  return [
    `${model.id}${model.isDefault ? ' (default)' : ''}: ${STATE_WORDS[model.state]}`,
    `  ${model.name}, ${bytesText(model.bytes)}, ${model.licence}`,
    `  context ${countText(model.cpuContextTokens)} on a CPU, trained for ${countText(trainedContextTokens)}${yarn}`,
    `  from ${sources.join(', else ')}`,
    '',
  ].join('\n');
}
