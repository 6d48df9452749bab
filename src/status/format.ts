import {
  type ChatActivity,
  type ChatExchange,
  cacheText,
  countedText,
  countText,
  durationText,
  type EngineStatus,
  engineText,
  filesText,
  percentText,
  secondsText,
  shortCountText,
  stageRows,
  type TtftRecord,
  type WarmStatus,
} from '../../protocol';

/** What the status-bar item is drawn from. */
export interface StatusFacts {
  /** Absent until the server has said something. */
  engine?: EngineStatus;
  /** The exchange that runs, if one does. */
  running?: ChatExchange;
  /** The newest exchange with a record. */
  measured?: ChatExchange;
  /** Catalogue id or path of the model of the next question, when it is known. */
  model?: string;
}

/** The status-bar item in words. */
export interface StatusText {
  /** Label with at most one icon. */
  text: string;
  /** Markdown. */
  tooltip: string;
  /** What a screen reader says. */
  spoken: string;
}

const SPIN = '$(sync~spin)';

export function statusText(facts: StatusFacts): StatusText {
  const { engine, running, measured } = facts;
  if (running) return runningText(running);
  if (engine?.state === 'failed') return failedText(engine);
  if (engine?.state === 'restarting') return busyText('Restarting', engine.message);
  if (engine?.state === 'starting' || engine?.state === 'loading') return busyText('Loading', engine.message);
  const text = measured?.record
    ? measuredText(measured, measured.record)
    : idleText(facts.model ?? engine?.model, engine);
  return engine?.warm ? withWarm(text, engine.warm) : text;
}

/** The next question finds this much of the repository computed. */
function withWarm(
  { text, tooltip, spoken }: StatusText,
  { state, fraction, reason }: WarmStatus,
): StatusText {
  const percent = percentText(fraction);
  const long = state === 'waiting' ? `waiting: ${reason ?? 'the machine is busy'}` : `${percent} computed`;
  return {
    text: state === 'waiting' ? text : `${text} · warm ${percent}`,
    tooltip: `${tooltip}\n\nRepository ahead of the next question: ${escaped(long)}`,
    spoken: `${spoken}, repository ${long}`,
  };
}

/** `qwen2.5-coder-0.5b` of `qwen2.5-coder-0.5b-instruct-q4_k_m` or of `/models/Qwen2.5-….gguf`. */
export function shortModelName(model: string): string {
  const name = model.split(/[/\\]/).at(-1) ?? model;
  return name.replace(/\.gguf$/i, '').replace(/[-_.](instruct|chat|it)\b.*$/i, '');
}

function runningText({ activity }: ChatExchange): StatusText {
  if (!activity) return busyText('Answering');
  const words = activityWords(activity);
  return {
    text: `${SPIN} ${words.short}`,
    tooltip: `**Longview**: ${escaped(words.long)}`,
    spoken: `Longview: ${words.long}`,
  };
}

function activityWords(activity: ChatActivity): { short: string; long: string } {
  switch (activity.kind) {
    case 'starting':
      return { short: 'Starting', long: 'starting' };
    case 'queued':
      return { short: 'Queued', long: `waiting for ${countedText(activity.ahead, 'other question')}` };
    case 'prefill': {
      const { processed, total, etaMs } = activity;
      const percent = percentText(total > 0 ? processed / total : 0);
      return {
        short: `${percent} · ${secondsText(etaMs)}`,
        long: `reading ${countText(total)} tokens, ${percent} done, about ${secondsText(etaMs)} left`,
      };
    }
    case 'stage':
      return stageWords(activity);
    case 'source':
      return { short: 'Download', long: `downloading the model from ${activity.name}` };
    case 'download': {
      const { receivedBytes, totalBytes } = activity;
      const percent = percentText(totalBytes > 0 ? receivedBytes / totalBytes : 0);
      return { short: `Download ${percent}`, long: `downloading the model, ${percent} done` };
    }
    case 'verify':
      return { short: 'Verifying', long: 'verifying the checksum of the model' };
  }
}

function stageWords({ stage, fraction }: Extract<ChatActivity, { kind: 'stage' }>) {
  const share = fraction === undefined ? '' : ` ${percentText(fraction)}`;
  const words = {
    gather: { short: 'Listing files', long: 'listing the files' },
    convert: { short: `Preparing${share}`, long: `preparing the model for this machine, once${share}` },
    load: { short: 'Loading', long: 'loading the model' },
    pack: { short: 'Choosing files', long: 'choosing the files for the question' },
  };
  return words[stage];
}

function busyText(word: string, detail?: string): StatusText {
  const long = detail ?? word.toLowerCase();
  return { text: `${SPIN} ${word}`, tooltip: `**Longview**: ${escaped(long)}`, spoken: `Longview: ${long}` };
}

function failedText({ message }: EngineStatus): StatusText {
  const long = message ?? 'the engine failed';
  return {
    text: '$(error) Longview',
    tooltip: `**Longview**: ${escaped(long)}`,
    spoken: `Longview: ${long}`,
  };
}

function idleText(model: string | undefined, engine: EngineStatus | undefined): StatusText {
  const name = model === undefined ? 'Longview' : shortModelName(model);
  const device = engine?.device ? ` on ${engine.device}` : '';
  const long = model === undefined ? 'ask about this repository' : `ready with ${model}${device}`;
  return { text: `$(zap) ${name}`, tooltip: `**Longview**: ${escaped(long)}`, spoken: `Longview: ${long}` };
}

function measuredText(exchange: ChatExchange, record: TtftRecord): StatusText {
  const seconds = secondsText(record.ttftMs);
  return {
    text: `$(zap) ${seconds} · ${shortCountText(record.promptTokens)}`,
    tooltip: breakdownMarkdown(exchange, record),
    spoken: `Longview: ${seconds} to first token, ${countText(record.promptTokens)} prompt tokens`,
  };
}

/** The record as a Markdown tooltip: stages, tokens, files, machine, notices. */
function breakdownMarkdown({ inclusion }: ChatExchange, record: TtftRecord): string {
  const rows = stageRows(record).map(({ name, ms }) => `| ${name} |   ${durationText(ms)} |`);
  const files = inclusion ? ` from ${filesText(inclusion)}` : '';
  const facts = [
    `${countText(record.promptTokens)} prompt tokens${files}`,
    escaped(cacheText(record)),
    `Prefill ${countText(record.prefillTokensPerSecond)} tokens/s, answer ${record.decodeTokensPerSecond.toFixed(1)} tokens/s`,
    `${escaped(shortModelName(record.model))} on ${escaped(engineText(record))}`,
    ...record.notices.map((notice) => `$(info) ${escaped(notice)}`),
  ];
  return [
    `**${secondsText(record.ttftMs)} to first token**`,
    ['| | |', '|:--|--:|', ...rows].join('\n'),
    ...facts,
  ].join('\n\n');
}

/** Text that Markdown shows as it is. */
export function escaped(text: string): string {
  return text.replace(/[\\`*_{}[\]()#+\-.!|<>~$&]/g, '\\$&').replace(/\r?\n/g, ' ');
}
