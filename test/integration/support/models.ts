import { DownloadModel } from '../../../protocol';
import { startServer } from './server';

/** Makes sure that a model is there, by the product's own download, and returns its path. */
export async function ensureModel(id: string): Promise<string> {
  const server = await startServer();
  try {
    const { path } = await server.request(DownloadModel, { id, allowThirdParty: true });
    return path;
  } finally {
    await server.dispose();
  }
}
