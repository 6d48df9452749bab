import type { AttachmentAccount, CountAttachmentsParams } from '../../protocol';
import type { AskDependencies } from './ask';
import { budgetFor } from './ask-budget';

/**
 * Counts what is attached with the tokenizer of the model that would answer, against the prompt that it may have.
 * @throws LongviewError as asking does, up to the packing
 */
export async function countAttachments(
  { engine, models, context }: Pick<AskDependencies, 'engine' | 'models' | 'context'>,
  { question, attachments, openEditor, options }: CountAttachmentsParams,
  signal: AbortSignal,
): Promise<AttachmentAccount> {
  const device = await engine.deviceFor(options.device);
  const model = await models.resolve(options.model, device, { signal });
  const { promptTokens } = budgetFor(options, model, device);
  return context.countAttachments(
    {
      question,
      attachments,
      ...(openEditor !== undefined && { openEditor }),
      modelPath: model.path,
      budgetTokens: promptTokens,
    },
    signal,
  );
}
