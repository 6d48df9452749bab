import { createHash } from 'node:crypto';
import type { SecretFinding } from '../../../protocol';
import { LongviewError } from '../../errors';
import type { FileBlock } from '../../prompt/file-block';
import type { Choices } from '../choices';
import type { SecretScanner } from './secret-scanner';

/**
 * What stands between texts and one prompt: only what would be packed is scanned, and what holds a secret that the
 * user has not let through is held back. Knows afterwards what was found in which file.
 */
export class SecretGate {
  private readonly foundByPath = new Map<string, SecretFinding[]>();

  constructor(
    private readonly scanner: SecretScanner,
    private readonly choices: Choices,
  ) {}

  /** Let through or not; by display path. */
  get found(): ReadonlyMap<string, SecretFinding[]> {
    return this.foundByPath;
  }

  /** True when the text of the file may be packed. */
  async passes(file: string, hash: string, text: string): Promise<boolean> {
    return this.decide(file, await this.scanner.scan(file, hash, text));
  }

  /** The same for heads of what a file defines, which may hold none of its secrets. */
  async passesSignatures({ path, text, passages }: FileBlock): Promise<boolean> {
    const findings = await this.scanner.scan(path, sha256(text), text);
    // Each head is a line of the text, and a passage.
    return this.decide(
      path,
      findings.map(({ rule, line }) => ({ rule, line: passages[line - 1]?.firstLine ?? line })),
    );
  }

  /**
   * For what the user adds by hand, which cannot be left out silently.
   * @throws LongviewError `secretFound`
   */
  async requireClean(file: string, text: string, firstLine = 1): Promise<void> {
    const findings = await this.scanner.scan(file, sha256(text), text);
    const inFile = findings.map(({ rule, line }) => ({ rule, line: line + firstLine - 1 }));
    if (!this.decide(file, inFile)) throw secretFound(file, inFile);
  }

  private decide(file: string, findings: SecretFinding[]): boolean {
    if (findings.length === 0) return true;
    const known = this.foundByPath.get(file);
    // The whole text has more of them than its heads.
    if (!known || known.length < findings.length) this.foundByPath.set(file, findings);
    return this.choices.allows(file, findings);
  }
}

function secretFound(file: string, findings: readonly SecretFinding[]): LongviewError {
  const places = findings.map(({ rule, line }) => `${rule} in line ${line}`);
  return new LongviewError(
    'secretFound',
    `The attached ${file} looks as if it held ${findings.length === 1 ? 'a secret' : 'secrets'}: ${places.join(', ')}.`,
    'Remove the attachment, or include the file anyway and ask again.',
    { path: file, rules: findings.map(({ rule }) => rule) },
  );
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
