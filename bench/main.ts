/**
 * `npm run bench [-- --only http,cluster] [-- --rounds 5] [-- --json file]`: runs the parts one after the other, prints
 * one table, and writes the same as JSON.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
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
const DEFAULT_ROUNDS = 5;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { only: { type: 'string' }, rounds: { type: 'string' }, json: { type: 'string' } },
  });
  const rounds = Number(values.rounds ?? DEFAULT_ROUNDS);
  const only = values.only?.split(',') ?? PARTS.map(({ name }) => name);
  const unknown = only.filter((name) => !PARTS.some((part) => part.name === name));
  if (unknown.length > 0 || !(rounds >= 1)) {
    throw new Error(`--only takes ${PARTS.map(({ name }) => name).join(', ')}; --rounds takes a number`);
  }
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
  const file = values.json ?? join(__dirname, '..', '..', 'results', 'latest.json');
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
