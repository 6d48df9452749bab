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
  /** The statement that defines `name`, up to what is expected. */
  definition: string;
  expected: string;
}

const FIRST = `
  AMBER ANCHOR APRICOT ARCADE ARROW ASPEN AUTUMN BADGER BAMBOO BARLEY BASIN BEACON BIRCH BISON BLOSSOM
  BRAMBLE BRONZE BUFFALO CACTUS CANYON CARAVAN CASCADE CEDAR CHERRY CINDER CITRUS CLOVER COBALT COMET
  COPPER CORAL COYOTE CRATER CRIMSON CYPRESS DAHLIA DELTA DESERT DOLPHIN DRAGON EAGLE EBONY EMBER FALCON
  FERN FIDDLE FJORD FLAMINGO FOREST GALAXY GARLIC GECKO GINGER GLACIER GRANITE GROVE HARBOR HAZEL HERON
  HICKORY INDIGO IVORY JAGUAR JASMINE JUNIPER KELP LAGOON LANTERN LATTICE LAVENDER LEMON LILAC LOBSTER
  LOTUS MAGNET MAMMOTH MANGO MAPLE MARBLE
`
  .trim()
  .split(/\s+/);
const SECOND = `
  MEADOW MERCURY METEOR MONSOON MOSAIC NEBULA NECTAR NUTMEG OASIS OLIVE ONYX ORBIT ORCHID OSPREY OTTER
  OYSTER PANTHER PAPAYA PEBBLE PELICAN PEPPER PIGEON PILGRIM PLANET PLATEAU POLAR POPPY PRAIRIE PRISM
  PUFFIN QUARRY QUARTZ QUIVER RABBIT RAVEN REEF RIDGE RIVER ROCKET SABLE SADDLE SAFFRON SALMON SAPPHIRE
  SATIN SCARLET SEQUOIA SHADOW SILVER SPARROW SPRUCE STARLING SUMMIT SUNSET TEMPLE THISTLE THUNDER TIGER
  TIMBER TOPAZ TRUMPET TULIP TUNDRA TURTLE UMBRA VALLEY VANILLA VELVET VIOLET VOLCANO WALNUT WALRUS WILLOW
  WINTER WIZARD WOLF YARROW ZEBRA ZEPHYR
`
  .trim()
  .split(/\s+/);
const THIRD = 'BUDGET CEILING DELAY FACTOR LIMIT MARGIN OFFSET QUOTA SPAN THRESHOLD WEIGHT WINDOW'.split(' ');
const KEYS = ['NORTH', 'SOUTH', 'EAST', 'WEST'];
const WORDS = 'amber basalt cedar dune elm fjord garnet hazel iris jasper kelp lotus maple onyx pine'.split(
  ' ',
);

/**
 * Makes needles whose names share no word but the last, so that a small model can tell eighty of them apart: names that
 * differed in one word alone left dense attention itself right in one question of five at 128K.
 */
export class NeedleMaker {
  private readonly first: string[];
  private readonly second: string[];

  constructor(
    private readonly random: Random,
    private readonly language: Language,
  ) {
    this.first = random.shuffled(FIRST);
    this.second = random.shuffled(SECOND);
  }

  /** One constant: a number, or now and then a text. */
  constant(): NeedleQuestion {
    const name = this.name();
    if (this.random.next() < 0.25) {
      const text = `${this.random.pick(WORDS)}-${this.random.pick(WORDS)}-${this.digits(2)}`;
      return this.question('needle', [this.define(name, quoted(text))], name, text);
    }
    const value = this.digits(5);
    return this.question('needle', [this.define(name, value)], name, value);
  }

  /** Four constants whose names differ in the last word: a question about each. */
  group(): NeedleQuestion[] {
    const stem = this.name();
    return KEYS.map((key) => {
      const [name, value] = [`${stem}_${key}`, this.digits(5)];
      return this.question('multiKey', [this.define(name, value)], name, value);
    });
  }

  /** A constant and another that takes its value: the question is where the second has it from. */
  chain(): NeedleQuestion {
    const [first, second, value] = [this.name(), this.name(), this.digits(5)];
    return this.question('tracking', [this.define(first, value), this.define(second, first)], second, first);
  }

  /** The last of `needles` is the one that is asked about. */
  private question(
    task: NeedleQuestion['task'],
    needles: Needle[],
    name: string,
    expected: string,
  ): NeedleQuestion {
    const { statement = '' } = needles.at(-1) ?? {};
    return { task, needles, name, definition: statement.slice(0, statement.lastIndexOf(expected)), expected };
  }

  private name(): string {
    const [first, second] = [this.first.pop(), this.second.pop()];
    if (first === undefined || second === undefined)
      throw new Error('there are no words left to name needles');
    return `${first}_${second}_${this.random.pick(THIRD)}`;
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
