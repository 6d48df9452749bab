import type { ChatConversation } from '../../protocol';
import type { ContextModel } from './context-model';

/** Tells the model once when a question has been packed, and when the conversation begins anew. */
export function followConversation(
  model: Pick<ContextModel, 'noteAsked' | 'noteChange'>,
): (conversation: ChatConversation) => void {
  let packed: string | undefined;
  return ({ exchanges }) => {
    const last = exchanges.at(-1);
    if (!last) model.noteChange();
    // An exchange that is asked again has no report until it is packed again.
    else if (!last.inclusion) packed = undefined;
    else if (last.phase === 'running' && packed !== last.id) {
      packed = last.id;
      void model.noteAsked();
    }
  };
}
