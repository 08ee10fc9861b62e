/**
 * A replica that starts while much is in flight: how long from its open port until it is ready, and that it is right then;
 * what that costs it in memory, and how long it holds the event loop of the peer that shows it everything.
 */
import { subjectOf } from '../../src/wire/subjects';
import { encodeEvent } from '../../src/wire/event-codec';
import { natsBus } from '../../test/bus/nats-bus-fixture';
import { until } from '../../test/support/until';
import { memoryBytes, peakMemoryBytes } from '../processes/process-stats';
import { Replicas } from '../processes/replicas';
import { CLUSTER, engineOf, promptLengthOf, queryPath, requestId } from '../load/requests';
import { Collected, type Part, type Row } from '../report/rows';

interface Size {
  readonly inFlight: number;
  readonly readyWithinMs?: number;
  readonly mostRounds: number;
}

const SIZES: readonly Size[] = [
  { inFlight: 10_000, mostRounds: 3 },
  { inFlight: 100_000, mostRounds: 3, readyWithinMs: 1_000 },
  { inFlight: 1_000_000, mostRounds: 1, readyWithinMs: 8_000 },
];
const ENGINES = 16;
const PUBLISHED_AT_ONCE = 10_000;
const MIB = 1024 * 1024;

export const joiningPart: Part = {
  name: 'joining',
  async run({ rounds, say }) {
    const results = new Collected();
    for (const { inFlight, mostRounds } of SIZES) {
      for (let round = 0; round < Math.min(rounds, mostRounds); round++) {
        say(`${inFlight.toLocaleString('en')} in flight, round ${round + 1}`);
        for (const [name, value] of Object.entries(await join(inFlight))) {
          results.add(`${inFlight} ${name}`, value as number);
        }
      }
    }
    return SIZES.flatMap((size) => rowsOf(size, results));
  },
};

interface Joined {
  readonly readyMs: number;
  readonly wrongRows: number;
  readonly peakMiB: number;
  readonly servingMiB: number;
  readonly heldMs: number;
}

function rowsOf({ inFlight, readyWithinMs }: Size, results: Collected): Row[] {
  const row = (name: keyof Joined, what: string, unit: string, atMost?: number): Row => ({
    part: 'joining',
    name: `${inFlight.toLocaleString('en')} in flight: ${what}`,
    unit,
    values: results.of(`${inFlight} ${name}`),
    ...(atMost !== undefined && { target: { atMost } }),
  });
  return [
    row('readyMs', 'ready after the port was open', 'ms', readyWithinMs),
    row('wrongRows', 'wrong rows then', 'rows', 0),
    row('peakMiB', 'peak memory of the joiner', 'MiB'),
    row('servingMiB', 'memory of the serving peer', 'MiB'),
    row('heldMs', 'longest hold of the serving peer', 'ms'),
  ];
}

async function join(inFlight: number): Promise<Joined> {
  const replicas = await Replicas.prepare('127.78.1', 2);
  try {
    const serving = await replicas.launch();
    await serving.ready();
    await publishAdds(replicas.nats.url, inFlight, serving.url);
    await longestHoldMs(serving.url);
    const joiner = await replicas.launch();
    await until(() => joiner.logged('started'), { intervalMs: 1, describe: 'the port is open' });
    const openedMs = performance.now();
    await joiner.ready(60_000);
    const readyMs = performance.now() - openedMs;
    return {
      readyMs,
      wrongRows: differentRows(await rowsAt(serving.url), await rowsAt(joiner.url)),
      heldMs: await longestHoldMs(serving.url),
      peakMiB: peakMemoryBytes(joiner.pid) / MIB,
      servingMiB: memoryBytes(serving.pid) / MIB,
    };
  } finally {
    await replicas.stop();
  }
}

/**
 * As another replica would, which is gone since: far faster than over HTTP, and the same for those that receive it. No
 * faster than `receiver` takes them: what a slow consumer loses, nobody could bring back.
 */
async function publishAdds(natsUrl: string, count: number, receiver: string): Promise<void> {
  const bus = natsBus(natsUrl);
  bus.start({}, () => undefined);
  await until(() => bus.connected, { describe: 'the bus is connected' });
  const subject = subjectOf('metadata-center', 'add');
  for (let published = 0; published < count;) {
    const batchEnd = Math.min(count, published + PUBLISHED_AT_ONCE);
    for (; published < batchEnd; published++) {
      if (!bus.publish(subject, encodeEvent(addEvent(published)))) throw new Error('the bus took no more');
    }
    await until(async () => (await inFlightAt(receiver)) === published, {
      intervalMs: 1,
      describe: `${receiver} has ${published} requests in flight`,
    });
  }
  await bus.stop();
}

function addEvent(number: number): Parameters<typeof encodeEvent>[0] {
  return {
    type: 'add',
    origin: 'benchmark-origin',
    seq: number + 1,
    timeUs: Date.now() * 1000 + (number % 1000),
    requestId: requestId(number),
    cluster: CLUSTER,
    ip: engineOf(number % ENGINES),
    promptLength: promptLengthOf(number),
    timestampNs: BigInt(Date.now()) * 1_000_000n,
  };
}

async function inFlightAt(url: string): Promise<number> {
  const { data } = (await (await fetch(`${url}/v1/replica/status`)).json()) as {
    data: { counts: { in_flight: number } };
  };
  return data.counts.in_flight;
}

async function rowsAt(url: string): Promise<unknown[]> {
  const { data } = (await (await fetch(url + queryPath())).json()) as { data: unknown[] };
  return data;
}

function differentRows(a: readonly unknown[], b: readonly unknown[]): number {
  let different = Math.abs(a.length - b.length);
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    if (JSON.stringify(a[i]) !== JSON.stringify(b[i])) different++;
  }
  return different;
}

/** Node's histogram counts from one look to the next: an event loop that is never held shows this much. */
const LOOK_EVERY_MS = 10;

/** The longest that the event loop was held since it was last asked. */
async function longestHoldMs(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^nodejs_eventloop_lag_max_seconds (\S+)$/m.exec(text)?.[1]) * 1000 - LOOK_EVERY_MS;
}
