import path from 'node:path';
import type { ChatWelcome, EngineStatus, ModelInfo } from '../../protocol';
import { Signal } from '../session/signal';
import { modelInQuestion } from './model-offer';

/** What the welcome is made of. Each call may start the server. */
export interface WelcomeFacts {
  folders(): string[];
  /** The model of the settings: a catalogue id or a path. */
  wantedModel(): string | undefined;
  engine(): EngineStatus | undefined;
  listFiles(): Promise<number>;
  listModels(): Promise<ModelInfo[]>;
}

/** What the empty view says, kept up to date from the first time that the view opens. */
export class WelcomeSource {
  readonly changed = new Signal<ChatWelcome>();
  private files: number | undefined;
  private models: ModelInfo[] | undefined;
  private problem: string | undefined;
  private opened = false;

  constructor(
    private readonly facts: WelcomeFacts,
    private readonly warn: (message: string) => void,
  ) {}

  get current(): ChatWelcome {
    const model = this.model();
    const engine = this.facts.engine();
    const problem = this.problem ?? (engine?.state === 'failed' ? engine.message : undefined);
    return {
      folders: this.facts.folders(),
      ...(this.files !== undefined && { files: this.files }),
      ...(model && { model }),
      ...(engine?.device !== undefined && { device: engine.device }),
      ...(problem !== undefined && { problem }),
    };
  }

  /** Id or path of the model that will answer, once it is known. */
  get modelId(): string | undefined {
    return this.facts.wantedModel() ?? this.models?.find((model) => model.isDefault)?.id;
  }

  /** The view was opened: starts the server and finds out the rest. */
  open(): ChatWelcome {
    this.opened = true;
    this.refresh();
    return this.current;
  }

  /** Finds everything out again, unless nobody has looked yet. */
  refresh(): void {
    if (!this.opened) return;
    this.changed.fire(this.current);
    Promise.all([this.facts.listModels(), this.facts.listFiles()]).then(
      ([models, files]) => {
        this.models = models;
        this.files = files;
        this.problem = undefined;
        this.changed.fire(this.current);
      },
      (error: unknown) => {
        this.problem = error instanceof Error ? error.message : String(error);
        this.warn(this.problem);
        this.changed.fire(this.current);
      },
    );
  }

  private model(): ChatWelcome['model'] {
    const wanted = this.facts.wantedModel();
    // A file of the user's own is in no catalogue.
    if (wanted !== undefined && path.isAbsolute(wanted)) {
      return { name: path.basename(wanted), state: 'ready', bytes: 0 };
    }
    const model = this.models && modelInQuestion(this.models, wanted);
    return model && { name: model.name, state: model.state, bytes: model.bytes };
  }
}
