import type { ChatHostMessage } from '../../protocol';

type Fields = Record<string, unknown>;
type Check = (fields: Fields) => boolean;

const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null;
const isText = (value: unknown): value is string => typeof value === 'string';

const isExchange = (value: unknown): boolean =>
  isObject(value) &&
  isText(value['id']) &&
  isText(value['question']) &&
  isText(value['answer']) &&
  isText(value['phase']) &&
  Array.isArray(value['attachments']) &&
  Array.isArray(value['citations']);

const isActivity = (value: unknown): boolean => isObject(value) && isText(value['kind']);

const isAccount = (value: unknown): boolean =>
  value === undefined || (isObject(value) && Array.isArray(value['counts']));

/** What each message must hold for the page to draw it. */
const CHECKS: Record<ChatHostMessage['kind'], Check> = {
  conversation: ({ conversation, attachments, account }) =>
    isObject(conversation) &&
    Array.isArray(conversation['exchanges']) &&
    conversation['exchanges'].every(isExchange) &&
    Array.isArray(attachments) &&
    isAccount(account),
  exchange: ({ exchange }) => isExchange(exchange),
  activity: ({ id, activity }) => isText(id) && isActivity(activity),
  text: ({ id, offset, text }) => isText(id) && Number.isInteger(offset) && isText(text),
  attachments: ({ attachments, account }) => Array.isArray(attachments) && isAccount(account),
  refused: ({ question, reason }) => isText(question) && isText(reason),
  completions: ({ request, items }) =>
    Number.isInteger(request) &&
    Array.isArray(items) &&
    items.every((item) => isObject(item) && isText(item['label']) && isObject(item['choice'])),
  welcome: ({ welcome }) => isObject(welcome) && Array.isArray(welcome['folders']),
  focus: () => true,
  reveal: ({ id }) => isText(id),
};

/** `data` as a message of the extension; undefined when it is none, such as one of another version. */
export function parseHostMessage(data: unknown): ChatHostMessage | undefined {
  if (!isObject(data) || !isText(data['kind']) || !Object.hasOwn(CHECKS, data['kind'])) return undefined;
  const check = CHECKS[data['kind'] as ChatHostMessage['kind']];
  return check(data) ? (data as ChatHostMessage) : undefined;
}
