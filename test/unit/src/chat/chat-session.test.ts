import assert from 'node:assert/strict';
import type {
  AskEvent,
  AskResult,
  AttachmentAccount,
  ChatHostMessage,
  DownloadEvent,
  FindResult,
  ModelInfo,
} from '../../../../protocol';
import { ChatSession } from '../../../../src/chat/chat-session';
import { ConversationStore } from '../../../../src/chat/conversation-store';
import type { AnswerService, Question } from '../../../../src/session/answer-service';
import { MODEL, RESULT, serverError } from './samples';

interface Call {
  question: Question;
  onEvent: (event: AskEvent) => void;
  signal: AbortSignal;
  resolve(result: AskResult): void;
  reject(error: unknown): void;
}

/** A service that answers when the test says so. */
class ScriptedService implements AnswerService {
  readonly calls: Call[] = [];
  readonly downloads: { id: string; allowThirdParty: boolean }[] = [];
  /** Questions that attachments were counted for. */
  readonly counted: string[] = [];
  account: AttachmentAccount | Error = { counts: [{ tokens: 7 }], neededTokens: 50, budgetTokens: 100 };
  models: ModelInfo[] | Error = [MODEL];
  onDownload: (onEvent: (event: DownloadEvent) => void, allowThirdParty: boolean) => Promise<void> = () =>
    Promise.resolve();

  ask(question: Question, onEvent: (event: AskEvent) => void, signal: AbortSignal): Promise<AskResult> {
    return new Promise((resolve, reject) => {
      this.calls.push({ question, onEvent, signal, resolve, reject });
    });
  }

  countAttachments(question: string): Promise<AttachmentAccount> {
    this.counted.push(question);
    return this.account instanceof Error ? Promise.reject(this.account) : Promise.resolve(this.account);
  }

  find(): Promise<FindResult> {
    return Promise.reject(new Error('not asked for here'));
  }

  listModels(): Promise<ModelInfo[]> {
    return this.models instanceof Error ? Promise.reject(this.models) : Promise.resolve(this.models);
  }

  downloadModel(
    id: string,
    allowThirdParty: boolean,
    onEvent: (event: DownloadEvent) => void,
  ): Promise<void> {
    this.downloads.push({ id, allowThirdParty });
    return this.onDownload(onEvent, allowThirdParty);
  }
}

function setUp() {
  const service = new ScriptedService();
  const warnings: string[] = [];
  const warn = (message: string) => void warnings.push(message);
  const store = new ConversationStore({ get: () => undefined, update: () => Promise.resolve() }, warn);
  const session = new ChatSession(service, store, warn);
  const messages: ChatHostMessage[] = [];
  session.messages.on((message) => messages.push(message));
  const last = () => session.current.exchanges.at(-1)!;
  return { service, session, messages, warnings, last };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

suite('ChatSession', () => {
  test('asks with history and attachments, streams pieces at their offsets, and answers', async () => {
    const { service, session, messages, last } = setUp();
    session.attach({ kind: 'file', path: 'a.ts' });
    const first = session.ask(' First? ');
    await settled();
    service.calls[0]!.onEvent({ seq: 0, kind: 'token', text: 'In ' });
    service.calls[0]!.onEvent({ seq: 1, kind: 'token', text: 'src' });
    assert.deepEqual(
      messages.filter(({ kind }) => kind === 'text').map((message) => 'offset' in message && message.offset),
      [0, 3],
    );
    service.calls[0]!.resolve(RESULT);
    await first;
    assert.equal(last().phase, 'done');
    assert.deepEqual(service.calls[0]!.question.attachments, [{ kind: 'file', path: 'a.ts' }]);

    void session.ask('Second?');
    const { question, history, attachments } = service.calls[1]!.question;
    assert.equal(question, 'Second?');
    assert.deepEqual(
      history.map(({ text }) => text),
      ['First?', RESULT.answer],
    );
    assert.deepEqual(attachments, [], 'attachments belong to one question');
    session.dispose();
  });

  test('runs one question at a time and asks nothing when nothing is written', () => {
    const { service, session } = setUp();
    void session.ask('   ');
    assert.equal(service.calls.length, 0);
    void session.ask('One?');
    void session.ask('Two?');
    assert.equal(service.calls.length, 1);
    session.dispose();
  });

  test('stops at once, cancels the call, and can ask again while the server winds down', async () => {
    const { service, session, last } = setUp();
    void session.ask('One?');
    service.calls[0]!.onEvent({ seq: 0, kind: 'token', text: 'Half' });
    session.stop();
    assert.equal(last().phase, 'stopped');
    assert.equal(service.calls[0]!.signal.aborted, true);
    void session.ask('Two?');
    service.calls[0]!.reject(new Error('cancelled'));
    await settled();
    assert.equal(session.current.exchanges[0]!.phase, 'stopped');
    assert.equal(session.current.exchanges[0]!.answer, 'Half');
    assert.equal(session.isRunning, true, 'the second question runs on');
    session.dispose();
  });

  test('a failure keeps the part that arrived, names what helps, and can be retried', async () => {
    const { service, session, last } = setUp();
    const asking = session.ask('One?');
    service.calls[0]!.onEvent({ seq: 0, kind: 'token', text: 'Half' });
    service.calls[0]!.reject(serverError('engineCrashed'));
    await asking;
    assert.equal(last().phase, 'failed');
    assert.equal(last().answer, 'Half');
    assert.equal(last().failure?.action, 'Mend engineCrashed.');
    assert.deepEqual(last().failure?.buttons, ['retry', 'showLog']);
    const again = session.retry(last().id);
    service.calls[1]!.resolve(RESULT);
    await again;
    assert.equal(last().phase, 'done');
    assert.equal(session.current.exchanges.length, 1);
  });

  test('compares with dense: the same turns and question, both answers kept, no part of what follows', async () => {
    const { service, session, last } = setUp();
    const record = { ...RESULT.record, attention: 'sample' as const };
    for (const question of ['Zero?', 'One?']) {
      const asking = session.ask(question);
      service.calls.at(-1)!.resolve({ ...RESULT, answer: `To ${question}`, record });
      await asking;
    }
    const compared = last();
    const comparing = session.compare(compared.id);
    const { question, history, attention } = service.calls[2]!.question;
    assert.deepEqual([question, attention], ['One?', 'dense']);
    assert.deepEqual(history, service.calls[1]!.question.history);
    service.calls[2]!.resolve({ ...RESULT, answer: 'Densely' });
    await comparing;
    assert.equal(last().answer, 'Densely');
    assert.deepEqual(last().baseline, { id: compared.id, answer: 'To One?', record });

    await session.compare(last().id);
    assert.equal(service.calls.length, 3, 'a dense answer is not compared');
    void session.ask('Two?');
    const texts = service.calls[3]!.question.history.map(({ text }) => text);
    assert.deepEqual(texts, ['Zero?', 'To Zero?', 'One?', 'To One?']);
    session.dispose();
  });

  test('retries the last exchange only', async () => {
    const { service, session } = setUp();
    const first = session.ask('One?');
    service.calls[0]!.reject(serverError('internal'));
    await first;
    const second = session.ask('Two?');
    service.calls[1]!.resolve(RESULT);
    await second;
    await session.retry(session.current.exchanges[0]!.id);
    assert.equal(service.calls.length, 2);
  });

  test('a missing model: offers it by name, asks before third parties, downloads, then answers', async () => {
    const { service, session, last } = setUp();
    const asking = session.ask('One?');
    service.calls[0]!.reject(serverError('modelMissing', { id: 'small' }));
    await asking;
    assert.match(last().failure!.message, /Small 0\.1B \(398 MB, Apache-2\.0\)/);
    assert.match(last().failure!.action, /makers\/small.*small-part-1 and small-part-2/);
    assert.deepEqual(last().failure!.buttons, ['downloadModel']);
    assert.equal(service.downloads.length, 0, 'nothing is fetched before the user says so');

    service.onDownload = (_onEvent, allowed) =>
      allowed ? Promise.resolve() : Promise.reject(serverError('thirdPartyConsentRequired', { id: 'small' }));
    await session.downloadAndAnswer(last().id, false);
    assert.equal(last().failure!.code, 'thirdPartyConsentRequired');
    assert.deepEqual(last().failure!.buttons, ['allowThirdParty']);

    const answering = session.downloadAndAnswer(last().id, true);
    await settled();
    service.calls[1]!.resolve(RESULT);
    await answering;
    assert.equal(last().phase, 'done');
    assert.deepEqual(
      service.downloads.map(({ allowThirdParty }) => allowThirdParty),
      [false, true],
    );
  });

  test('shows download progress and can be cancelled', async () => {
    const { service, session, last } = setUp();
    const asking = session.ask('One?');
    service.calls[0]!.reject(serverError('modelMissing', { id: 'small' }));
    await asking;
    service.onDownload = (onEvent) => {
      onEvent({ kind: 'progress', receivedBytes: 5, totalBytes: 10 });
      return new Promise(() => undefined);
    };
    void session.downloadAndAnswer(last().id, false);
    await settled();
    assert.deepEqual(last().activity, { kind: 'download', receivedBytes: 5, totalBytes: 10 });
    session.stop();
    assert.equal(last().phase, 'stopped');
  });

  test('keeps the server’s own words when the models cannot be listed', async () => {
    const { service, session, last, warnings } = setUp();
    service.models = new Error('no list');
    const asking = session.ask('One?');
    service.calls[0]!.reject(serverError('modelMissing', { id: 'small' }));
    await asking;
    assert.equal(last().failure!.message, 'message of modelMissing');
    assert.match(warnings.join(), /no list/);
  });

  test('a new chat ends the running answer, and its late events change nothing', async () => {
    const { service, session } = setUp();
    void session.ask('One?');
    session.clear();
    service.calls[0]!.onEvent({ seq: 0, kind: 'token', text: 'late' });
    service.calls[0]!.resolve(RESULT);
    await settled();
    assert.deepEqual(session.current, { exchanges: [] });
    assert.equal(service.calls[0]!.signal.aborted, true);
  });

  test('attaches the same file once, detaches by place, and tells the tokens of what is left', async () => {
    const { service, session, messages } = setUp();
    session.attach({ kind: 'file', path: 'a.ts' });
    session.attach({ kind: 'file', path: 'b.ts' });
    session.attach({ kind: 'file', path: 'a.ts' });
    session.detach(0);
    const attachments = [{ kind: 'file', path: 'a.ts' }];
    assert.deepEqual(messages.at(-1), { kind: 'attachments', attachments });
    await settled();
    assert.deepEqual(messages.at(-1), { kind: 'attachments', attachments, account: service.account });
    const accounts = messages.filter((message) => 'account' in message);
    assert.equal(accounts.length, 1, 'what was counted for earlier attachments is not shown');
  });

  test('another line, another symbol and another diff are other attachments', () => {
    const { session, messages } = setUp();
    const git = { kind: 'excerpt', source: 'git' } as const;
    session.attach({ kind: 'symbol', path: 'a.ts', name: 'f', startLine: 1, endLine: 2 });
    session.attach({ kind: 'symbol', path: 'a.ts', name: 'f', startLine: 9, endLine: 12 });
    session.attach({ ...git, label: 'staged', text: 'old' });
    session.attach({ ...git, label: 'commit', text: 'x' });
    session.attach({ ...git, label: 'staged', text: 'new' });
    const last = messages.at(-1);
    assert.ok(last?.kind === 'attachments');
    assert.deepEqual(
      last.attachments.map((each) => (each.kind === 'excerpt' ? each.text : each.kind)),
      ['symbol', 'symbol', 'x', 'new'],
    );
  });

  test('what does not fit is refused before it is sent, with the numbers, and stays attached', async () => {
    const { service, session, messages } = setUp();
    service.account = { counts: [{ tokens: 4000 }], neededTokens: 4096, budgetTokens: 3584 };
    session.attach({ kind: 'file', path: 'a.ts' });
    await session.ask('Why?');
    assert.equal(service.calls.length, 0);
    assert.deepEqual(session.current.exchanges, []);
    const refused = messages.find((message) => message.kind === 'refused');
    assert.equal(refused?.question, 'Why?');
    assert.match(refused.reason, /needs 4,096 tokens; 3,584 fit/);
    assert.deepEqual(service.counted, ['', 'Why?'], 'the question is counted too');

    service.account = { counts: [{ problem: 'It is binary.' }], neededTokens: 9, budgetTokens: 3584 };
    await session.ask('Why?');
    assert.equal(messages.findLast((message) => message.kind === 'refused')?.reason, 'It is binary.');
    session.detach(0);
    void session.ask('Why?');
    assert.equal(service.calls.length, 1);
    session.dispose();
  });

  test('a new chat, or another attachment, while attachments are counted: the question comes back', async () => {
    const { service, session, messages } = setUp();
    session.attach({ kind: 'file', path: 'a.ts' });
    const asking = session.ask('Why?');
    session.clear();
    await asking;
    assert.equal(service.calls.length, 0);
    const refused = messages.findLast((message) => message.kind === 'refused');
    assert.equal(refused?.question, 'Why?');
    assert.match(refused.reason, /changed while the attachments were counted/);
  });

  test('a question whose attachments nobody can count is asked: its failure says what helps', async () => {
    const { service, session, warnings } = setUp();
    service.account = serverError('modelMissing', { id: 'small' });
    session.attach({ kind: 'file', path: 'a.ts' });
    void session.ask('Why?');
    void session.ask('Why?');
    await settled();
    assert.equal(service.calls.length, 1, 'once, however often Enter is pressed');
    assert.match(warnings.join(), /modelMissing/);
    session.dispose();
  });
});
