import type { PackedPrompt } from '../../server/context/context-service';
import { ContextServiceImpl } from '../../server/context/context-service-impl';
import { DiskFileSource } from '../../server/context/disk-file-source';
import { PromptModels } from '../../server/context/prompt-model';
import { syncOnce } from '../../src/workspace/workspace-sync';
import type { Repository } from './repositories';

const GRAMMARS = 'node_modules/@vscode/tree-sitter-wasm/wasm';

/** Longview as a question meets it: files listed and sent, then a whole prompt packed within the budget. */
export class Longview {
  private constructor(
    private readonly service: ContextServiceImpl,
    private readonly modelPath: string,
  ) {}

  static async open({ id, root }: Repository, modelPath: string): Promise<Longview> {
    const service = new ContextServiceImpl(new DiskFileSource(), new PromptModels().load, {
      grammars: GRAMMARS,
    });
    await syncOnce(
      { roots: [{ name: id, path: root }], exclude: [] },
      {
        send: (params) => service.sync(params),
        report: ({ message }) => {
          throw new Error(message);
        },
        signal: new AbortController().signal,
      },
    );
    return new Longview(service, modelPath);
  }

  async pack(question: string, budgetTokens: number): Promise<PackedPrompt> {
    const request = { question, history: [], attachments: [], modelPath: this.modelPath, budgetTokens };
    const packed = await this.service.pack(request, () => undefined, new AbortController().signal);
    this.service.release(packed.packId);
    if (packed.tokenIds.length > budgetTokens) throw new Error(`${packed.tokenIds.length} tokens packed`);
    return packed;
  }
}
