import type { Random } from './random';
import type { Language } from './sets';

/** A statement that was never in the repository. */
export interface Needle {
  name: string;
  statement: string;
}

/** What of the answer decides: the text up to its end, behind an opening quote or backtick. */
export interface NeedleQuestion {
  task: 'needle' | 'multiKey' | 'tracking';
  needles: Needle[];
  name: string;
  expected: string;
}

const FIRST = 'EMBER LATTICE ORBIT QUARRY SABLE TIMBER VELVET COBALT DRIFT FALCON GLACIER HARBOR'.split(' ');
const SECOND = 'KETTLE LANTERN MARBLE NEEDLE OTTER PRISM QUIVER RIDGE SADDLE THISTLE UMBRA WILLOW'.split(' ');
const THIRD = 'BUDGET CEILING DELAY FACTOR LIMIT MARGIN OFFSET QUOTA SPAN THRESHOLD WEIGHT WINDOW'.split(' ');
const KEYS = ['NORTH', 'SOUTH', 'EAST', 'WEST'];
const WORDS = 'amber basalt cedar dune elm fjord garnet hazel iris jasper kelp lotus maple onyx pine'.split(
  ' ',
);

/** Makes needles whose names never meet twice. */
export class NeedleMaker {
  private readonly taken = new Set<string>();

  constructor(
    private readonly random: Random,
    private readonly language: Language,
  ) {}

  /** One constant: a number, or now and then a text. */
  constant(): NeedleQuestion {
    const name = this.name();
    if (this.random.next() < 0.25) {
      const text = `${this.random.pick(WORDS)}-${this.random.pick(WORDS)}-${this.digits(2)}`;
      return { task: 'needle', needles: [this.define(name, quoted(text))], name, expected: text };
    }
    const value = this.digits(5);
    return { task: 'needle', needles: [this.define(name, value)], name, expected: value };
  }

  /** Four constants whose names differ in the last word: a question about each. */
  group(): NeedleQuestion[] {
    const stem = this.name();
    return KEYS.map((key) => {
      const [name, value] = [`${stem}_${key}`, this.digits(5)];
      return { task: 'multiKey', needles: [this.define(name, value)], name, expected: value };
    });
  }

  /** A constant and another that takes its value: the question is about the second. */
  chain(): NeedleQuestion {
    const [first, second, value] = [this.name(), this.name(), this.digits(5)];
    const needles = [this.define(first, value), this.define(second, first)];
    return { task: 'tracking', needles, name: second, expected: value };
  }

  private name(): string {
    for (;;) {
      const name = [FIRST, SECOND, THIRD].map((words) => this.random.pick(words)).join('_');
      if (this.taken.has(name)) continue;
      this.taken.add(name);
      return name;
    }
  }

  private digits(count: number): string {
    const least = 10 ** (count - 1);
    return String(least + this.random.below(9 * least));
  }

  private define(name: string, value: string): Needle {
    return { name, statement: statementOf(this.language, name, value) };
  }
}

function quoted(text: string): string {
  return `"${text}"`;
}

function statementOf(language: Language, name: string, value: string): string {
  switch (language) {
    case 'typescript':
      return `export const ${name} = ${value};`;
    case 'javascript':
      return `const ${name} = ${value};`;
    case 'python':
      return `${name} = ${value}`;
    case 'rust':
      return `pub const ${name}: ${value.startsWith('"') ? '&str' : 'u32'} = ${value};`;
    case 'c':
      return `#define ${name} ${value}`;
  }
}
