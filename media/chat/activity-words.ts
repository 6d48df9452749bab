import { bytesText, type ChatActivity, countedText, countText, secondsText } from '../../protocol';

/** What an activity is called, and how far it is. */
export interface ActivityWords {
  words: string;
  /** 0 to 1; absent when nobody knows. */
  fraction?: number;
  /** Small print: tokens, time left. */
  detail?: string;
}

export function activityWords(activity: ChatActivity): ActivityWords {
  switch (activity.kind) {
    case 'starting':
      return { words: 'Starting' };
    case 'queued':
      return { words: `Waiting for ${countedText(activity.ahead, 'other question')}` };
    case 'stage':
      return stageWords(activity);
    case 'prefill':
      return prefillWords(activity);
    case 'source':
      return {
        words: `Downloading the model from ${activity.name}${activity.thirdParty ? ' (third party)' : ''}`,
      };
    case 'download': {
      const { receivedBytes, totalBytes } = activity;
      return {
        words: 'Downloading the model',
        detail:
          totalBytes > 0
            ? `${bytesText(receivedBytes)} of ${bytesText(totalBytes)}`
            : bytesText(receivedBytes),
        ...(totalBytes > 0 && { fraction: receivedBytes / totalBytes }),
      };
    }
    case 'verify':
      return { words: 'Verifying the checksum of the model', fraction: activity.fraction };
  }
}

function stageWords({ stage, fraction, detail }: Extract<ChatActivity, { kind: 'stage' }>): ActivityWords {
  const words = {
    gather: 'Listing the files',
    convert: 'Preparing the model for this machine, once',
    load: 'Loading the model',
    pack: 'Choosing the files for this question',
  };
  return {
    words: words[stage],
    ...(fraction !== undefined && { fraction }),
    ...(detail !== undefined && { detail }),
  };
}

function prefillWords({
  total,
  cached,
  processed,
  etaMs,
}: Extract<ChatActivity, { kind: 'prefill' }>): ActivityWords {
  const reused = cached > 0 ? ` · ${countText(cached)} reused` : '';
  return {
    words: 'Reading',
    fraction: total > 0 ? processed / total : 0,
    detail: `${countText(processed)} of ${countText(total)} tokens · ${secondsText(etaMs)} left${reused}`,
  };
}
