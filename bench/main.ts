/** `npm run bench`: runs the parts one after the other, prints one table, and writes the same as JSON. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { orEnd } from './arguments';
import { benchOptions, PARTS } from './options';
import type { Row } from './report/rows';
import { jsonOf, tableOf } from './report/table';

async function main(): Promise<void> {
  const { only, rounds, file } = orEnd(benchOptions(process.argv.slice(2)));
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
