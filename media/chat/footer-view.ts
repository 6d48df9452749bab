import {
  type ChatExchange,
  cacheText,
  countText,
  durationText,
  engineText,
  exclusionText,
  filesText,
  type InclusionReport,
  leftOutText,
  secondsText,
  stageRows,
  type TtftRecord,
} from '../../protocol';
import { element, icon, iconButton, linkButton } from './dom';
import type { Host } from './host';

/** What an answer cost and what it was made from: one line that opens into the whole account. */
export function footerView(exchange: ChatExchange, host: Host): HTMLElement | undefined {
  const { record, inclusion } = exchange;
  if (!record) return undefined;
  const parts = [`${secondsText(record.ttftMs)} to first token`, `${countText(record.promptTokens)} tokens`];
  if (inclusion) parts.push(filesText(inclusion));
  return element(
    'div',
    { class: 'footer' },
    iconButton('copy', 'Copy Answer', () => host.send({ kind: 'copy', text: exchange.answer })),
    exchange.phase === 'done' && record.attention === 'sample' && compareLink(exchange, host),
    element(
      'details',
      { class: 'account' },
      element('summary', {}, ...parts.flatMap(figure)),
      stagesTable(record),
      factsList(record),
      inclusion && inclusionView(inclusion, host),
    ),
    ...notices(exchange).map((notice) =>
      element('div', { class: 'notice' }, icon('info'), element('span', {}, notice)),
    ),
  );
}

function compareLink({ id }: ChatExchange, host: Host): HTMLElement {
  const title = 'Read the same prompt with dense attention and show both answers';
  return linkButton('Compare with dense attention', title, () =>
    host.send({ kind: 'act', id, action: 'compare' }),
  );
}

/** A figure in one piece, with what divides it from the one before. */
function figure(text: string, index: number): (HTMLElement | string)[] {
  return [...(index > 0 ? [' · '] : []), element('span', { class: 'figure' }, text)];
}

function notices({ record, truncated }: ChatExchange): string[] {
  return [
    ...(record?.notices ?? []),
    ...(truncated
      ? ['The answer reached its token limit; raise longview.maxAnswerTokens for longer ones.']
      : []),
  ];
}

function stagesTable(record: TtftRecord): HTMLElement {
  const rows = stageRows(record).map(({ name, ms }) => row(name, durationText(ms)));
  const total = row('First token after', durationText(record.ttftMs));
  total.className = 'total';
  return element('table', { class: 'stages' }, element('tbody', {}, ...rows, total));
}

function row(name: string, value: string): HTMLTableRowElement {
  return element('tr', {}, element('th', { scope: 'row' }, name), element('td', {}, value));
}

function factsList(record: TtftRecord): HTMLElement {
  const facts = [
    `${cacheText(record)}; context ${countText(record.contextTokens)}`,
    `Prefill ${countText(record.prefillTokensPerSecond)} tokens/s; ${countText(record.answerTokens)} answer tokens at ${record.decodeTokensPerSecond.toFixed(1)}/s`,
    `${record.model} on ${engineText(record)}`,
  ];
  return element('ul', { class: 'facts' }, ...facts.map((fact) => element('li', {}, fact)));
}

const BY_HAND: readonly string[] = ['attached', 'pinned'];
const DETAIL_WORDS = { signatures: ', signatures', path: ', path only' } as const;

function inclusionView(inclusion: InclusionReport, host: Host): HTMLElement {
  const included = inclusion.included.map(({ path, tokens, reason, detail }) =>
    fileRow(
      path,
      `${countText(tokens)}${BY_HAND.includes(reason) ? `, ${reason}` : ''}${detail ? DETAIL_WORDS[detail] : ''}`,
      host,
    ),
  );
  const excerpts = inclusion.excerpts.map(({ source, label, tokens }) =>
    element(
      'li',
      {},
      element('span', {}, `${source}: ${label}`),
      element('span', { class: 'remark' }, `${countText(tokens)}, attached`),
    ),
  );
  const leftOut = leftOutText(inclusion);
  return element(
    'div',
    { class: 'inclusion' },
    element(
      'details',
      {},
      element('summary', {}, `Read: ${filesText(inclusion)}, ${countText(inclusion.fileTokens)} tokens`),
      element('ul', { class: 'files' }, ...included, ...excerpts),
    ),
    leftOut !== '' && leftOutView(inclusion, leftOut, host),
  );
}

function leftOutView(
  { excluded, excludedByReason }: InclusionReport,
  title: string,
  host: Host,
): HTMLElement {
  const total = Object.values(excludedByReason).reduce((sum, count) => sum + count, 0);
  const unlisted = total - excluded.length;
  return element(
    'details',
    {},
    element('summary', {}, title),
    element(
      'ul',
      { class: 'files' },
      ...excluded.map(({ path, reason, secrets = [] }) => {
        const places = secrets.map(({ rule, line }) => `, ${rule} in line ${line}`);
        return fileRow(path, exclusionText(reason) + places.join(''), host);
      }),
      unlisted > 0 && element('li', {}, `and ${countText(unlisted)} more`),
    ),
  );
}

function fileRow(path: string, remark: string, host: Host): HTMLElement {
  return element(
    'li',
    {},
    linkButton(path, `Open ${path}`, () => host.send({ kind: 'openFile', path })),
    element('span', { class: 'remark' }, remark),
  );
}
