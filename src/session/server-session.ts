import {
  Ask,
  type AskEvent,
  type AskOptions,
  type AskResult,
  type Attachment,
  type AttachmentAccount,
  type ContextAccount,
  type ContextChoices,
  CountAttachments,
  Diagnose,
  DidChangeContext,
  DidChangeEngineStatus,
  type DownloadEvent,
  DownloadModel,
  type EngineStatus,
  Find,
  type FindParams,
  type FindResult,
  GetEngineStatus,
  InspectContext,
  type InspectContextParams,
  ListModels,
  type ModelInfo,
  NO_CHOICES,
  PurgePrefixCache,
  type RequestSpec,
  SetContextChoices,
  WarmPrefix,
  type WarmPrefixParams,
} from '../../protocol';
import type { ServerConnection, ServerState } from '../client/server-connection';
import type { AnswerService, Question } from './answer-service';
import { type Disposable, Signal } from './signal';

/** Whether the repository is computed ahead of questions, and whether also while the machine is busy. */
export type Warmth = Omit<WarmPrefixParams, 'options'>;

/** The files of the window, kept in step with one server. */
export interface SyncedFiles extends Disposable {
  /** Files that the server knows. */
  readonly files: number;
  /** Resolves when the server knows everything that is known here. */
  flush(): Promise<void>;
  /** Tells a new server everything. */
  resend(): Promise<void>;
}

/** A server and the files that it is told of. */
export interface ConnectedServer {
  connection: ServerConnection;
  files: SyncedFiles;
}

/**
 * The server of this window. Starts with the first call and is told of the files; what it says of the engine is
 * passed on. Owns the connection.
 */
export class ServerSession implements AnswerService {
  readonly engine = new Signal<EngineStatus>();
  /** What the next prompt would hold may have changed. */
  readonly context = new Signal<void>();
  private started: Promise<ConnectedServer> | undefined;
  private latestStatus: EngineStatus | undefined;

  /**
   * @param connect starts a server; called again after `restart`
   * @param options the options of the settings, read for each question
   * @param openEditor the file in front of the user, as the server names it
   * @param warmth whether, and when, the server computes the repository ahead of questions
   * @param choices what the user decided about files
   */
  constructor(
    private readonly connect: () => Promise<ConnectedServer>,
    private readonly options: () => AskOptions,
    private readonly warn: (message: string) => void,
    private readonly warmth: () => Warmth = () => ({ enabled: false }),
    private readonly openEditor: () => string | undefined = () => undefined,
    private readonly choices: () => ContextChoices = () => NO_CHOICES,
  ) {}

  /** What the engine last said; absent before the first call. */
  get status(): EngineStatus | undefined {
    return this.latestStatus;
  }

  async ask(
    { attention, ...question }: Question,
    onEvent: (event: AskEvent) => void,
    signal: AbortSignal,
  ): Promise<AskResult> {
    const { connection, files } = await this.running();
    await files.flush();
    const options = { ...this.options(), ...(attention && { attention }) };
    const openEditor = this.openEditor();
    const asked = { ...question, ...(openEditor !== undefined && { openEditor }), options };
    return connection.request(Ask, asked, { onEvent, signal });
  }

  /** What the next question would find in its prompt, by the settings and files of now. */
  async inspectContext(
    conversation: Pick<InspectContextParams, 'history' | 'attachments'>,
    signal: AbortSignal,
  ): Promise<ContextAccount> {
    const { connection, files } = await this.running();
    await files.flush();
    const openEditor = this.openEditor();
    const asked = {
      ...conversation,
      ...(openEditor !== undefined && { openEditor }),
      options: this.options(),
    };
    return connection.request(InspectContext, asked, { signal });
  }

  /** Asks what depends neither on settings nor on files. */
  async request<Params extends object, Result>(
    spec: RequestSpec<Params, Result>,
    params: Omit<Params, 'partialResultToken'>,
  ): Promise<Result> {
    const { connection } = await this.running();
    return connection.request(spec, params);
  }

  async countAttachments(
    question: string,
    attachments: Attachment[],
    signal: AbortSignal,
  ): Promise<AttachmentAccount> {
    const { connection, files } = await this.running();
    await files.flush();
    const openEditor = this.openEditor();
    const asked = { question, attachments, ...(openEditor !== undefined && { openEditor }) };
    return connection.request(CountAttachments, { ...asked, options: this.options() }, { signal });
  }

  async find(params: FindParams, signal: AbortSignal): Promise<FindResult> {
    const { connection, files } = await this.running();
    await files.flush();
    return connection.request(Find, params, { signal });
  }

  async listModels(): Promise<ModelInfo[]> {
    const { connection } = await this.running();
    return (await connection.request(ListModels, { device: this.options().device })).models;
  }

  async downloadModel(
    id: string,
    allowThirdParty: boolean,
    onEvent: (event: DownloadEvent) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const { connection } = await this.running();
    await connection.request(DownloadModel, { id, allowThirdParty }, { onEvent, signal });
  }

  /** Starts the server, so that it can compute the repository before anybody asks. */
  async open(): Promise<void> {
    await this.running();
  }

  /** Tells a running server what the settings say now. */
  async settingsChanged(): Promise<void> {
    const { started } = this;
    if (started) await this.tellWarmth((await started).connection);
  }

  /** Tells a running server what the user decided about files. */
  async choicesChanged(): Promise<void> {
    const { started } = this;
    if (started) await (await started).connection.notify(SetContextChoices, this.choices());
  }

  /** Removes every computed prompt; returns how many bytes were on disk. */
  async purgePrefixCache(): Promise<number> {
    const { connection } = await this.running();
    return (await connection.request(PurgePrefixCache, {})).bytes;
  }

  /** The report of the server for people who look into a problem. */
  async diagnose(): Promise<string> {
    const { connection } = await this.running();
    return (await connection.request(Diagnose, {})).report;
  }

  /** Starts the server, sends it the file list and returns how many files it knows. */
  async listFiles(): Promise<number> {
    const { files } = await this.running();
    await files.flush();
    return files.files;
  }

  /** Ends the server and starts another with the settings of now. */
  async restart(): Promise<void> {
    await this.stop();
    await this.running();
  }

  async dispose(): Promise<void> {
    await this.stop();
  }

  private running(): Promise<ConnectedServer> {
    this.started ??= this.start();
    return this.started;
  }

  private async start(): Promise<ConnectedServer> {
    let server: ConnectedServer | undefined;
    try {
      server = await this.connect();
      const { connection } = server;
      connection.onNotification(DidChangeEngineStatus, (status) => this.setStatus(status));
      connection.onState((state) => this.onState(state, server));
      connection.onNotification(DidChangeContext, () => this.context.fire());
      await connection.notify(SetContextChoices, this.choices());
      this.setStatus(await connection.request(GetEngineStatus, {}));
      await this.tellWarmth(connection);
      return server;
    } catch (error) {
      // The next call tries again, with a fresh server.
      this.started = undefined;
      await release(server);
      throw error;
    }
  }

  private async stop(): Promise<void> {
    const { started } = this;
    this.started = undefined;
    // A start that failed has told its own caller, and left nothing to release.
    await release(await started?.catch(() => undefined));
  }

  private onState(state: ServerState, server: ConnectedServer | undefined): void {
    if (state.kind === 'restarting')
      this.setStatus({ state: 'restarting', queued: 0, message: state.message });
    if (state.kind === 'stopped') this.setStatus({ state: 'failed', queued: 0, message: state.message });
    if (state.kind !== 'restarted') return;
    this.setStatus({ state: 'idle', queued: 0 });
    if (server) this.tellAgain(server);
  }

  private tellAgain({ connection, files }: ConnectedServer): void {
    const choices = connection.notify(SetContextChoices, this.choices());
    Promise.all([choices, files.resend(), this.tellWarmth(connection)]).catch((error: unknown) => {
      this.warn(`The file list could not be sent again: ${String(error)}`);
    });
  }

  private tellWarmth(connection: ServerConnection): Promise<void> {
    return connection.notify(WarmPrefix, { ...this.warmth(), options: this.options() });
  }

  private setStatus(status: EngineStatus): void {
    this.latestStatus = status;
    this.engine.fire(status);
  }
}

async function release(server: ConnectedServer | undefined): Promise<void> {
  server?.files.dispose();
  await server?.connection.dispose();
}
