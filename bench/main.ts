/** `npm run bench`: runs the parts one after the other, prints one table, and writes the same as JSON. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { positive, readArguments } from './arguments';
import { batchPart } from './batch/batch-part';
import { cachePart } from './cache/cache-part';
import { clusterPart } from './cluster/cluster-part';
import { corePart } from './core/core-part';
import { historyPart } from './history/history-part';
import { httpPart } from './http/http-part';
import { joiningPart } from './joining/joining-part';
import type { Part, Row } from './report/rows';
import { jsonOf, tableOf } from './report/table';
import { selectPart } from './select/select-part';
import { watchPart } from './watch/watch-part';

const PARTS: readonly Part[] = [
  httpPart,
  batchPart,
  selectPart,
  clusterPart,
  cachePart,
  corePart,
  joiningPart,
  historyPart,
  watchPart,
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
      default: join(__dirname, '..', '..', 'results', 'latest.json'),
      words: 'the file for the results',
    },
  },
};

async function main(): Promise<void> {
  const { only, rounds, file } = readArguments(USAGE, (values) => {
    const parts = values.only!.split(',');
    if (!parts.every((name) => NAMES.includes(name))) throw new Error(`--only takes ${NAMES.join(', ')}`);
    return { only: parts, rounds: positive('rounds', values.rounds!), file: values.json! };
  });
  const started = new Date();
  const rows: Row[] = [];
  for (const part of PARTS) {
    if (!only.includes(part.name)) continue;
    const say = (progress: string): void => void process.stderr.write(`${part.name}: ${progress}\n`);
    try {
      rows.push(...(await part.run({ rounds, say })));
    } catch (error) {
      // What the other parts have measured is not thrown away.
      process.exitCode = 1;
      say(error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
  }
  const tookSeconds = (Date.now() - started.getTime()) / 1000;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, jsonOf(rows, started, tookSeconds));
  process.stdout.write(`${tableOf(rows)}\n\n${Math.round(tookSeconds)} s; as JSON: ${file}\n`);
}

main().then(
  () => process.exit(),
  (error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exit(1);
  },
);
