/** `npm run demo`: see it at work, watch it on its dashboard. */
import { join } from 'node:path';
import { findNatsServer, installNatsServer } from '../../test/support/nats-server-binary';
import { orEnd } from '../arguments';
import { Demo } from './demo';
import { demoOptions } from './options';
import { ReplicaSet } from './replica-set';
import { progressLine, resultTable } from './report';

const REPLICAS = 3;
/** Where the output is no terminal, a line now and then is enough. */
const LOG_EVERY_SECONDS = 10;

async function main(): Promise<boolean> {
  const options = orEnd(demoOptions(process.argv.slice(2)));
  if (findNatsServer() === undefined) installNatsServer();
  const replicas = await ReplicaSet.start(REPLICAS, join(process.cwd(), 'dist', 'main.js'));
  try {
    const urls = replicas.places.map((_place, i) => replicas.urlOf(i));
    print(
      `\nThree replicas, ${options.engines} engines for each way of routing, ${options.rate} requests/s to each.`,
    );
    print(`Dashboards: ${urls.map((url) => `${url}/`).join('  ')}\nCtrl-C ends it and shows the table.\n`);
    const demo = new Demo(replicas, options, () => performance.now());
    process.once('SIGINT', () => demo.stop());
    process.once('SIGTERM', () => demo.stop());
    let second = 0;
    const result = await demo.run((leftSeconds) => {
      const line = progressLine(replicas, demo.fleets, leftSeconds);
      if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${line.slice(0, process.stdout.columns - 1)}`);
      else if (second++ % LOG_EVERY_SECONDS === 0) print(line);
    }, sayAboveLine);
    clearLine();
    print(`${resultTable(result, urls)}\n`);
    return result.drifts.every(({ requests, promptTokens }) => requests === 0 && promptTokens === 0);
  } finally {
    await replicas.stop();
  }
}

function sayAboveLine(text: string): void {
  clearLine();
  print(text);
}

function clearLine(): void {
  if (process.stdout.isTTY) process.stdout.write('\r\x1b[K');
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

main().then(
  (right) => process.exit(right ? 0 : 1),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(1);
  },
);
