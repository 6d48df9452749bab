import type { SourceFile } from './fetch';
import { type FunctionExcerpt, functionExcerpts } from './functions';
import { type InsertionPoint, insertionPoints } from './insertion-points';
import { NeedleMaker, type NeedleQuestion } from './needles';
import { Random } from './random';
import type { Planting } from './sets';

export const TASKS = ['needle', 'multiKey', 'tracking', 'function'] as const;
export type Task = (typeof TASKS)[number];

/** A question about a planted repository. */
export interface Question {
  task: Task;
  /** Where what it is about lies: from 0, the beginning, to 1. Of a chain, its first link. */
  depth: number;
  text: string;
  /** How the answer begins; what is asked for follows. */
  lead: string;
  expected: string;
}

export interface PlantedFiles {
  files: SourceFile[];
  questions: Question[];
}

/** How many questions of each kind a planting has. */
export interface QuestionCounts {
  needle: number;
  /** Groups of four. */
  multiKey: number;
  tracking: number;
  function: number;
}

export const ALL_QUESTIONS: QuestionCounts = { needle: 44, multiKey: 4, tracking: 10, function: 12 };

/** Plants needles evenly by depth, and asks about them and about functions of the repository's own. */
export function plant(files: SourceFile[], planting: Planting, counts: QuestionCounts): PlantedFiles {
  const { repository, seed } = planting;
  const random = new Random(`${repository.id}/${seed}/needles`);
  const maker = new NeedleMaker(random, repository.language);
  const asked = [
    ...Array.from({ length: counts.needle }, () => maker.constant()),
    ...Array.from({ length: counts.multiKey }, () => maker.group()).flat(),
    ...Array.from({ length: counts.tracking }, () => maker.chain()),
  ];
  const points = insertionPoints(files, repository.language);
  const placed = placeEvenly(asked, points, random);
  const total = files.reduce((sum, { text }) => sum + text.length, 0);
  const excerpts = functionExcerpts(files, repository.language, counts.function, random);
  const questions = [
    ...placed.map(({ question, points: [first] }) => needleQuestion(question, (first?.chars ?? 0) / total)),
    ...excerpts.map((excerpt) => functionQuestion(excerpt, depthOf(excerpt, files, total))),
  ];
  return { files: withNeedles(files, placed), questions: random.shuffled(questions) };
}

interface Placed {
  question: NeedleQuestion;
  /** One for each needle, in order of depth. */
  points: InsertionPoint[];
}

/**
 * Deals the needles out over the depths: as many slots of equal depth as there are needles, each with a random one. The
 * needles of one question keep their order, so that a chain's first link comes first.
 */
function placeEvenly(asked: readonly NeedleQuestion[], points: InsertionPoint[], random: Random): Placed[] {
  const owners = random.shuffled(asked.flatMap((question) => question.needles.map(() => question)));
  if (points.length < owners.length) {
    throw new Error(
      `${points.length} places for ${owners.length} needles: the files have too few statements`,
    );
  }
  const placed = new Map(asked.map((question) => [question, [] as InsertionPoint[]]));
  for (const [slot, question] of owners.entries()) {
    const [start, end] = [slot, slot + 1].map((n) => Math.floor((n * points.length) / owners.length));
    placed.get(question)?.push(random.pick(points.slice(start, end)));
  }
  return asked.map((question) => ({ question, points: placed.get(question) ?? [] }));
}

function withNeedles(files: SourceFile[], placed: readonly Placed[]): SourceFile[] {
  const inserts = files.map(() => new Map<number, string>());
  for (const { question, points } of placed) {
    for (const [i, needle] of question.needles.entries()) {
      const point = points[i];
      if (point) inserts[point.file]?.set(point.line, point.indentation + needle.statement);
    }
  }
  return files.map(({ path, text }, i) => {
    const lines = text.split('\n').flatMap((line, at) => {
      const statement = inserts[i]?.get(at);
      return statement === undefined ? [line] : [statement, '', line];
    });
    return { path, text: lines.join('\n') };
  });
}

/** The answer begins with the statement that defines the constant: a small model finds it by that best. */
function needleQuestion({ task, name, definition, expected }: NeedleQuestion, depth: number): Question {
  const text =
    task === 'tracking'
      ? `From which other constant does ${name} take its value?`
      : `What is the value of ${name}?`;
  return { task, depth, text, lead: `${name} is defined as \`${definition}`, expected };
}

function functionQuestion({ name, body }: FunctionExcerpt, depth: number): Question {
  const text = `These lines are the body of one function in the repository:\n\n${body}\n\nWhat is the name of that function?`;
  return { task: 'function', depth, text, lead: 'The name of the function is `', expected: name };
}

function depthOf({ body }: FunctionExcerpt, files: readonly SourceFile[], total: number): number {
  let before = 0;
  for (const { text } of files) {
    const at = text.indexOf(body);
    if (at >= 0) return (before + at) / total;
    before += text.length;
  }
  throw new Error('an excerpt is of no file');
}
