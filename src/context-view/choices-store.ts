import * as z from 'zod/mini';
import { type ContextChoices, NO_CHOICES, type SecretDecision } from '../../protocol';
import { Signal } from '../session/signal';

/** The part of `vscode.Memento` that is used. */
export interface KeyValueStore {
  get(key: string): unknown;
  update(key: string, value: unknown): PromiseLike<void>;
}

const KEY = 'longview.contextChoices';
const VERSION = 1;

const paths = z.array(z.string().check(z.minLength(1)));
const storedSchema = z.object({
  version: z.literal(VERSION),
  pinned: paths,
  excluded: paths,
  allowedSecrets: z.array(
    z.object({ path: z.string().check(z.minLength(1)), rules: z.array(z.string()) }),
  ) satisfies z.ZodMiniType<SecretDecision[]>,
});

/** What the user decided about files of this workspace, across reloads. A folder's path ends in `/`. */
export class ChoicesStore {
  readonly changed = new Signal<ContextChoices>();
  private choices: ContextChoices;

  constructor(
    private readonly store: KeyValueStore,
    private readonly warn: (message: string) => void,
  ) {
    this.choices = this.load();
  }

  get current(): ContextChoices {
    return this.choices;
  }

  /** The rule of this very path; a rule of a folder above is not its own. */
  of(path: string): 'pinned' | 'excluded' | undefined {
    if (this.choices.excluded.includes(path)) return 'excluded';
    return this.choices.pinned.includes(path) ? 'pinned' : undefined;
  }

  pin(path: string): void {
    const { pinned, excluded } = this.choices;
    this.set({ pinned: withPath(pinned, path), excluded: without(excluded, path) });
  }

  unpin(path: string): void {
    this.set({ pinned: without(this.choices.pinned, path) });
  }

  /** Also takes back that secrets of the file may be sent. */
  exclude(path: string): void {
    const { pinned, excluded, allowedSecrets } = this.choices;
    this.set({
      pinned: without(pinned, path),
      excluded: withPath(excluded, path),
      allowedSecrets: allowedSecrets.filter((decision) => decision.path !== path),
    });
  }

  /** Takes an exclusion back. */
  include(path: string): void {
    this.set({ excluded: without(this.choices.excluded, path) });
  }

  /** Lets the secrets that were found in a file through. */
  allow(decision: SecretDecision): void {
    const { excluded, allowedSecrets } = this.choices;
    const others = allowedSecrets.filter(({ path }) => path !== decision.path);
    this.set({ excluded: without(excluded, decision.path), allowedSecrets: [...others, decision] });
  }

  private set(change: Partial<ContextChoices>): void {
    this.choices = { ...this.choices, ...change };
    this.store.update(KEY, { version: VERSION, ...this.choices }).then(undefined, (error: unknown) => {
      this.warn(`The choices about the context could not be saved: ${String(error)}`);
    });
    this.changed.fire(this.choices);
  }

  private load(): ContextChoices {
    const stored = this.store.get(KEY);
    if (stored === undefined) return NO_CHOICES;
    const parsed = storedSchema.safeParse(stored);
    if (parsed.success) {
      const { pinned, excluded, allowedSecrets } = parsed.data;
      return { pinned, excluded, allowedSecrets };
    }
    this.warn(
      `The stored choices about the context could not be read and are left out: ${z.prettifyError(parsed.error)}`,
    );
    return NO_CHOICES;
  }
}

/** In path order, so that the same choices are the same whenever they were made. */
function withPath(all: readonly string[], path: string): string[] {
  return [...new Set([...all, path])].sort();
}

function without(all: readonly string[], path: string): string[] {
  return all.filter((each) => each !== path);
}
