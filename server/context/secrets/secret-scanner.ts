import path from 'node:path';
import { lintSource } from '@secretlint/core';
import { secretLintProfiler } from '@secretlint/profiler';
import { creator as recommended } from '@secretlint/secretlint-rule-preset-recommend';
import { LRUCache } from 'lru-cache';
import type { SecretFinding } from '../../../protocol';

// It keeps a mark for each rule and each file for ever, and looks through all of them with each new one.
secretLintProfiler.mark = () => undefined;

const PRESET = '@secretlint/secretlint-rule-preset-recommend';
const RULE_PREFIX = '@secretlint/secretlint-rule-';
/** Texts whose findings are remembered: mostly none, so an entry is hardly more than its key. */
const REMEMBERED = 50_000;

const NOTHING: SecretFinding[] = [];

/**
 * Finds what looks like a secret by the rules of secretlint: keys of clouds and services, private keys, passwords in
 * addresses. A `secretlint-disable` comment in a file holds here too. Of what is found, nothing but rule and line
 * leaves this class.
 */
export class SecretScanner {
  private readonly found = new LRUCache<string, SecretFinding[]>({ max: REMEMBERED });

  /** @param hash of `text`; the same text is scanned once. By the order of the lines. */
  async scan(file: string, hash: string, text: string): Promise<SecretFinding[]> {
    // Some rules look at the name of the file, such as `.npmrc`.
    const key = `${path.posix.basename(file)}:${hash}`;
    const known = this.found.get(key);
    if (known) return known;
    const { messages } = await lintSource({
      source: { content: text, filePath: file, ext: path.posix.extname(file), contentType: 'text' },
      options: {
        noPhysicFilePath: true,
        maskSecrets: true,
        config: { rules: [{ id: PRESET, rule: recommended }] },
      },
    });
    const findings = messages.map(({ ruleId, loc }) => ({
      rule: ruleId.startsWith(RULE_PREFIX) ? ruleId.slice(RULE_PREFIX.length) : ruleId,
      line: loc.start.line,
    }));
    const sorted = findings.length === 0 ? NOTHING : findings.sort((a, b) => a.line - b.line);
    this.found.set(key, sorted);
    return sorted;
  }
}
