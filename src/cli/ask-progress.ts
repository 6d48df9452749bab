import {
  type AskEvent,
  bytesText,
  countText,
  type DownloadEvent,
  percentText,
  secondsText,
} from '../../protocol';
import type { ProgressLine } from './progress-line';

const STAGE_WORDS = {
  gather: 'Listing files',
  convert: 'Preparing the model for this machine, once',
  load: 'Loading the model',
  pack: 'Choosing files',
} as const;

/** Shows the events of a question that are not its text. */
export function showAskEvent(progress: ProgressLine, event: AskEvent): void {
  switch (event.kind) {
    case 'queued':
      progress.update(
        `Waiting for ${countText(event.ahead)} other ${event.ahead === 1 ? 'question' : 'questions'}`,
      );
      return;
    case 'stage':
      progress.update(
        event.detail ? `${STAGE_WORDS[event.stage]}: ${event.detail}` : STAGE_WORDS[event.stage],
        event.fraction === undefined ? '' : percentText(event.fraction),
        event.fraction,
      );
      return;
    case 'prefill': {
      const { processed, total, etaMs } = event;
      const detail = `${percentText(processed / total)} of ${countText(total)} tokens, ${secondsText(etaMs)} left`;
      progress.update('Prefill', detail, processed / total);
      return;
    }
    case 'packed':
    case 'token':
    case 'done':
      return;
  }
}

/** Shows a download; third parties are named, and why they are needed. */
export function showDownloadEvent(progress: ProgressLine, event: DownloadEvent): void {
  switch (event.kind) {
    case 'source':
      progress.note(
        event.thirdParty
          ? `Using packages of third parties: ${event.name}. Nothing of them is run; the sha256 of the model is verified.`
          : `Downloading from ${event.name}`,
      );
      return;
    case 'sourceFailed':
      progress.note(`${event.name} cannot be used: ${event.reason}`);
      return;
    case 'progress': {
      const fraction = event.receivedBytes / event.totalBytes;
      const detail = `${bar(fraction)} ${percentText(fraction)} of ${bytesText(event.totalBytes)}`;
      progress.update('Downloading the model', detail, fraction);
      return;
    }
    case 'verify':
      progress.update('Verifying the model', percentText(event.fraction), event.fraction);
      return;
  }
}

function bar(fraction: number): string {
  const width = 24;
  const full = Math.round(Math.min(Math.max(fraction, 0), 1) * width);
  return `[${'#'.repeat(full)}${'-'.repeat(width - full)}]`;
}
