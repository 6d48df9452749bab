import { bytesText, type ChatFailure, type ModelInfo } from '../../protocol';

/** Asks before the first byte is fetched, and names every place that the model may come from. */
export function downloadOffer(model: ModelInfo): ChatFailure {
  const own = model.sources.filter((source) => !source.thirdParty).map((source) => source.name);
  const others = thirdPartyNames(model);
  const fallback = others.length
    ? ` If that does not answer, Longview asks before it uses the third-party packages ${listed(others)}.`
    : '';
  const origin = own.length ? ` from ${listed(own)}` : '';
  return {
    code: 'modelMissing',
    message: `${model.name} (${bytesText(model.bytes)}, ${model.licence}) is not on this machine yet.`,
    action: `Download it${origin} to get the answer; the question waits.${fallback}`,
    buttons: ['downloadModel'],
    modelId: model.id,
  };
}

/** The model that a failure names, else the one that runs unless another is chosen. */
export function modelInQuestion(models: ModelInfo[], id: string | undefined): ModelInfo | undefined {
  return models.find((model) => model.id === id) ?? models.find((model) => model.isDefault);
}

function thirdPartyNames(model: ModelInfo): string[] {
  return model.sources.filter((source) => source.thirdParty).map((source) => source.name);
}

function listed(names: string[]): string {
  if (names.length < 2) return names.join('');
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1) ?? ''}`;
}
