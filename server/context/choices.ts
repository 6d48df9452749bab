import { type ContextChoices, NO_CHOICES, type SecretFinding } from '../../protocol';

/** What the user decided about files, as rules that a path can be held against. */
export class Choices {
  private readonly rules = new Map<string, 'pinned' | 'excluded'>();
  private readonly allowed: ReadonlyMap<string, readonly string[]>;

  constructor(private readonly choices: ContextChoices = NO_CHOICES) {
    for (const path of choices.pinned) this.rules.set(path, 'pinned');
    // In doubt, what must not be sent is not sent.
    for (const path of choices.excluded) this.rules.set(path, 'excluded');
    this.allowed = new Map(choices.allowedSecrets.map(({ path, rules }) => [path, rules]));
  }

  /** True where nothing is said of any file. */
  get isSilent(): boolean {
    return this.rules.size === 0;
  }

  /** Files that are pinned one by one, not by a folder. */
  get pinnedFiles(): string[] {
    return this.choices.pinned.filter((path) => !path.endsWith('/') && this.of(path) === 'pinned');
  }

  /** What holds for a file: its own rule, else that of the innermost folder which has one. */
  of(path: string): 'pinned' | 'excluded' | undefined {
    if (this.isSilent) return undefined;
    const own = this.rules.get(path);
    if (own) return own;
    for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
      const rule = this.rules.get(path.slice(0, slash + 1));
      if (rule) return rule;
    }
    return undefined;
  }

  /** True when the user lets these through: each rule as often as it was found then. */
  allows(path: string, secrets: readonly SecretFinding[]): boolean {
    if (this.choices.allowAllSecrets) return true;
    const left = [...(this.allowed.get(path) ?? [])];
    return secrets.every(({ rule }) => {
      const at = left.indexOf(rule);
      if (at >= 0) left.splice(at, 1);
      return at >= 0;
    });
  }
}
