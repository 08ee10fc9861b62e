/** The parts of the bench, what it can be told, and what it says of itself. */
import { join } from 'node:path';
import { argumentsOf, positive, type LastWords } from './arguments';
import { batchPart } from './batch/batch-part';
import { cachePart } from './cache/cache-part';
import { clusterPart } from './cluster/cluster-part';
import { corePart } from './core/core-part';
import { historyPart } from './history/history-part';
import { hostilePart } from './hostile/hostile-part';
import { httpPart } from './http/http-part';
import { joiningPart } from './joining/joining-part';
import { selectPart } from './select/select-part';
import { watchPart } from './watch/watch-part';
import type { Part } from './report/rows';

export const PARTS: readonly Part[] = [
  httpPart,
  batchPart,
  selectPart,
  clusterPart,
  cachePart,
  corePart,
  joiningPart,
  historyPart,
  watchPart,
  hostilePart,
];
const NAMES = PARTS.map(({ name }) => name);

const USAGE = {
  command: 'npm run bench',
  words:
    'Runs the parts one after the other on this machine, prints one table, and writes the same as JSON. Needs wrk.',
  options: {
    only: { default: NAMES.join(','), words: 'the parts to run' },
    rounds: { default: '5', words: 'how often each figure is taken' },
    json: {
      default: join('bench', 'results', 'latest.json'),
      words: 'the file for the results',
    },
  },
};

export interface BenchOptions {
  readonly only: readonly string[];
  readonly rounds: number;
  readonly file: string;
}

export function benchOptions(args: string[]): BenchOptions | LastWords {
  return argumentsOf(USAGE, args, (values) => {
    const only = values.only.split(',');
    if (!only.every((name) => NAMES.includes(name))) throw new Error(`--only takes ${NAMES.join(', ')}`);
    return { only, rounds: positive('rounds', values.rounds), file: values.json };
  });
}
