/** `npm run demo [-- --minutes 2 --engines 24 --rate 30 --seed 1]`: see it at work, watch it on its dashboard. */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { findNatsServer, installNatsServer } from '../../test/support/nats-server-binary';
import { Demo } from './demo';
import { ReplicaSet } from './replica-set';
import { progressLine, resultTable } from './report';

const REPLICAS = 3;
/** Where the output is no terminal, a line now and then is enough. */
const LOG_EVERY_SECONDS = 10;

async function main(): Promise<boolean> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '2' },
      engines: { type: 'string', default: '24' },
      rate: { type: 'string', default: '30' },
      seed: { type: 'string', default: '1' },
      'kill-every': { type: 'string', default: '25' },
    },
  });
  const options = {
    seconds: 60 * positive('minutes', values.minutes),
    engines: positive('engines', values.engines),
    rate: positive('rate', values.rate),
    seed: positive('seed', values.seed),
    killEverySeconds: positive('kill-every', values['kill-every']),
  };
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
    });
    if (process.stdout.isTTY) process.stdout.write('\r\x1b[K');
    print(`${resultTable(result, urls)}\n`);
    return result.drifts.every(({ requests, promptTokens }) => requests === 0 && promptTokens === 0);
  } finally {
    await replicas.stop();
  }
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`--${name} takes a number above 0, not ${text}`);
  return value;
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
