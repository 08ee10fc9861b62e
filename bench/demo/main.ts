/** `npm run demo`: see it at work, watch it on its dashboard. */
import { join } from 'node:path';
import { findNatsServer, installNatsServer } from '../../test/support/nats-server-binary';
import { positive, readArguments } from '../arguments';
import { Demo } from './demo';
import { ReplicaSet } from './replica-set';
import { progressLine, resultTable } from './report';

const REPLICAS = 3;
/** Where the output is no terminal, a line now and then is enough. */
const LOG_EVERY_SECONDS = 10;

const USAGE = {
  command: 'npm run demo',
  words: `Three replicas and a fleet of simulated engines, which gets the same traffic routed in four ways, while a replica is killed now and
then, which the demo says when it does. Look at the dashboard of another replica: its rows go on, and it names the peer that is
missing; at the one that is back: it has the same rows. At the end a table says how long requests waited for their first token,
and how far each replica is off from what really is in flight. It should be 0, and then the exit code is 0.`,
  options: {
    minutes: { default: '2', words: 'how long' },
    engines: { default: '24', words: 'engines for each way of routing' },
    rate: { default: '30', words: 'requests a second for each way of routing' },
    seed: { default: '1', words: 'the same seed makes the same traffic, engines and kills' },
    'kill-every': { default: '25', words: 'seconds between two kills, on average' },
  },
};

async function main(): Promise<boolean> {
  const options = readArguments(USAGE, (values) => {
    const number = (name: keyof typeof USAGE.options): number => positive(name, values[name]!);
    return {
      seconds: 60 * number('minutes'),
      engines: number('engines'),
      rate: number('rate'),
      seed: number('seed'),
      killEverySeconds: number('kill-every'),
    };
  });
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
