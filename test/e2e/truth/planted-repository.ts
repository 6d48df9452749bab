import { randomInt } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

/** A repository that no model has seen, with one fact to ask for and many that look like it. */
export interface PlantedRepository {
  question: string;
  /** What a true answer says. */
  value: string;
  /** Where it stands: relative path and line, from 1. */
  path: string;
  line: number;
  /** Values of the same shape in the other files: an answer that recites the repository holds some of them. */
  decoys: string[];
  /** Relative path → text. */
  files: Record<string, string>;
}

const TOPICS = [
  'invoice',
  'parcel',
  'harbour',
  'lantern',
  'orchard',
  'violin',
  'glacier',
  'compass',
  'ferry',
  'quarry',
  'saddle',
  'turbine',
  'walnut',
  'beacon',
  'cellar',
  'dynamo',
  'engraver',
  'falcon',
  'granary',
  'hammock',
  'ivory',
  'jetty',
  'kiln',
  'lagoon',
  'mortar',
  'nectar',
  'obelisk',
  'pulley',
  'rudder',
  'spindle',
];
const QUANTITIES = [
  'RETRY_LIMIT',
  'BATCH_SIZE',
  'TIMEOUT_MS',
  'QUEUE_LENGTH',
  'CACHE_ENTRIES',
  'POLL_PERIOD_MS',
];

/** A new one on every call: 30 TypeScript files, each with a five-digit constant of its own. */
export function plantRepository(): PlantedRepository {
  const values = distinctValues(TOPICS.length);
  const planted = randomInt(TOPICS.length);
  const constants = TOPICS.map(
    (topic) => `${topic.toUpperCase()}_${QUANTITIES[randomInt(QUANTITIES.length)] ?? 'LIMIT'}`,
  );
  const files = Object.fromEntries(
    TOPICS.map((topic, index) => [pathOf(topic), moduleText(topic, constants[index]!, values[index]!)]),
  );
  const plantedPath = pathOf(TOPICS[planted]!);
  const lines = files[plantedPath]!.split('\n');
  return {
    question: `What is the value of ${constants[planted]!}, and in which file is it defined?`,
    value: values[planted]!,
    path: plantedPath,
    line: lines.findIndex((line) => line.includes(values[planted]!)) + 1,
    decoys: values.filter((_value, index) => index !== planted),
    files,
  };
}

/** Writes the repository under `dir`. */
export function writeRepository(repository: PlantedRepository, dir: string): void {
  for (const [name, text] of Object.entries(repository.files)) {
    const file = path.join(dir, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, text);
  }
}

const pathOf = (topic: string): string => `src/${topic}/${topic}-service.ts`;

function distinctValues(count: number): string[] {
  const values = new Set<string>();
  while (values.size < count) values.add(String(randomInt(10_000, 100_000)));
  return [...values];
}

function moduleText(topic: string, constant: string, value: string): string {
  const type = `${topic.charAt(0).toUpperCase()}${topic.slice(1)}`;
  return `/** Keeps every ${topic} of one customer. */
export const ${constant} = ${value};

export interface ${type} {
  id: string;
  createdAt: Date;
  label: string;
}

export class ${type}Service {
  private readonly entries = new Map<string, ${type}>();

  /** Adds a ${topic}; an earlier one with the same id is replaced. */
  add(${topic}: ${type}): void {
    if (this.entries.size >= ${constant}) throw new RangeError('no room for another ${topic}');
    this.entries.set(${topic}.id, ${topic});
  }

  /** The ${topic} with this id, if there is one. */
  find(id: string): ${type} | undefined {
    return this.entries.get(id);
  }

  /** Every ${topic}, oldest first. */
  list(): ${type}[] {
    return [...this.entries.values()].sort((a, b) => Number(a.createdAt) - Number(b.createdAt));
  }
}
`;
}
