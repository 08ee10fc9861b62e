/**
 * An account on the bus gone wild: events with gaps of hundreds of origins, and thousands of origins with a hole each. The
 * replicas stay each other's peers, mend what is honestly lost meanwhile, and say what they cannot keep track of.
 */
import { join } from 'node:path';
import { connect, type NatsConnection } from 'nats';
import { CleanUp } from '../support/clean-up';
import { seededRandom } from '../support/seeded-random';
import { until } from '../support/until';
import { Fleet } from './fleet';
import { Workload } from './workload';

const GAPPED_ORIGINS = 30;
const GAPS = 400;
const NEW_ORIGINS = 5_000;
const CACHE_EVENTS = 2_000;
const HASHES = Array.from({ length: 700 }, (_, i) => (i + 2 ** 40).toString(16).padStart(16, '0'));
/** Lines that tell of what was lost or limited: a handful for each cause, however many were forged. */
const MOST_WARNINGS = 20;
/**
 * Of the event loop, in processor time of the main thread: by the clock it would be what others do with the core. 50 ms on an idle
 * machine; beside other tests, that share its caches, the same work takes up to twice as long. 224 ms before the inbox was sliced.
 */
const LONGEST_TURN_MS = 120;
/** Warm: what is not compiled yet takes several times as long. */
const RUN = { nodeOptions: ['--require', join(__dirname, '../support/long-turns.cjs')], warm: true };

let fleet: Fleet;
let load: Workload;
let forger: NatsConnection;
const cleanUp = new CleanUp();

afterEach(() => cleanUp.run());

function forge(origin: string, seq: number): void {
  const time = Date.now() * 1000;
  const event = { v: 1, type: 'delete', origin, seq, time_us: time, request_id: 'forged' };
  forger.publish('metadata-center.load.delete', JSON.stringify(event));
}

function forgeCached(seq: number): void {
  const [time, ip] = [Date.now() * 1000, `10.8.0.${seq % 200}`];
  const event = { v: 1, type: 'cache-save', origin: 'forged', seq, time_us: time, cluster: 'm', ip };
  forger.publish('metadata-center.cache.save', JSON.stringify({ ...event, hashes: HASHES }));
}

async function readiness(url: string): Promise<{
  degraded: boolean;
  reason: string;
  peers: Record<string, string>;
  limits: Record<string, unknown>;
}> {
  const { data } = (await (await fetch(`${url}/readyz`)).json()) as never;
  return data;
}

async function metric(url: string, name: string): Promise<number> {
  const line = (await (await fetch(`${url}/metrics`)).text()).split('\n').find((it) => it.startsWith(name));
  return Number(line?.split(' ').at(-1));
}

/** The longest turn of any replica, in milliseconds of processor time. */
function longestTurnSince(timeMs: number): number {
  const turns = fleet.members.flatMap(({ replica }) =>
    replica.log.filter(({ msg, time }) => msg === 'long turn' && Date.parse(String(time)) >= timeMs),
  );
  return Math.max(0, ...turns.map(({ cpu_ms }) => Number(cpu_ms)));
}

/** What the replicas' logs say of each other. */
function unreachableSince(timeMs: number): unknown[] {
  return fleet.members.flatMap(({ replica }) =>
    replica.log.filter(({ msg, time }) => msg === 'peer unreachable' && Date.parse(String(time)) >= timeMs),
  );
}

test('I4 I7: events that are forged by tens of thousands cost neither repair nor peers nor long turns, and are said to', async () => {
  fleet = await cleanUp.use(Fleet.start({ size: 2, env: { LOG_LEVEL: 'info' }, run: RUN }), (it) =>
    it.stop(),
  );
  load = new Workload(seededRandom(1), fleet.urls);
  cleanUp.add(() => load.close());
  forger = await cleanUp.use(connect({ servers: fleet.nats.url }), (it) => it.close());
  const [, second] = fleet.members;
  await load.addMany(100);
  for (const url of fleet.urls) {
    await until(async () => Object.values((await readiness(url)).peers).join() === 'ready', {
      describe: 'the replicas know each other',
    });
  }
  const watchedFrom = Date.now();
  const states = new Set<string>();
  const watch = setInterval(() => {
    for (const url of fleet.urls) {
      void readiness(url).then(
        ({ peers }) => Object.values(peers).forEach((state) => states.add(state)),
        () => undefined,
      );
    }
  }, 100);
  cleanUp.add(() => clearInterval(watch));

  load.start(4);
  for (let gap = 1; gap <= GAPS; gap++) {
    for (let i = 0; i < GAPPED_ORIGINS; i++) forge(`gaps-${i}`, 2 * gap);
    if (gap % 20 === 0) await forger.flush();
  }
  for (let i = 0; i < NEW_ORIGINS; i++) {
    forge(`new-${i}`, 3);
    if (i % 1_000 === 0) await forger.flush();
  }
  await forger.flush();

  for (const url of fleet.urls) {
    await until(async () => (await metric(url, 'metacenter_limit_refused_total{limit="intervals"}')) > 0, {
      describe: 'what was forged is cut off, and counted',
    });
    const { degraded, reason } = await readiness(url);
    expect(degraded).toBe(true);
    expect(reason).toMatch(/^limit reached: .*\b(intervals|origins|chases)\b/);
    const status = await (await fetch(`${url}/v1/replica/status`)).text();
    expect(status.length).toBeLessThan(2 * 1024 * 1024);
  }

  // Lost honestly meanwhile: only the other one has it.
  second!.link.swallow(true);
  load.targets = [fleet.urls[0]!];
  await load.addMany(100);
  second!.link.swallow(false);
  load.targets = fleet.urls;
  await load.stop();
  const ms = await load.converged(fleet.urls, 15_000);

  // Of the prefix cache: what is advisory takes neither room nor time from reports.
  for (let seq = 1; seq <= CACHE_EVENTS; seq++) {
    forgeCached(seq);
    if (seq % 500 === 0) await forger.flush();
  }
  for (const url of fleet.urls) {
    await until(async () => (await metric(url, 'metacenter_cache_events_total{way="received"}')) > 0, {
      describe: 'cache events are taken in',
    });
  }
  await load.addMany(50);
  await load.converged(fleet.urls, 15_000);
  expect(load.refused).toEqual([]);
  clearInterval(watch);
  expect({ states: [...states], lost: unreachableSince(watchedFrom) }).toEqual({
    states: ['ready'],
    lost: [],
  });

  const warnings = fleet.members.map(
    ({ replica }) => replica.log.filter(({ level }) => Number(level) >= 40 || level === 'warn').length,
  );
  expect(Math.max(...warnings)).toBeLessThanOrEqual(MOST_WARNINGS);
  const turnMs = longestTurnSince(watchedFrom);
  process.stdout.write(
    `under forged events: repaired after ${ms} ms, ${warnings.join(' and ')} warnings, longest turn ${turnMs.toFixed(0)} ms\n`,
  );
  expect(turnMs).toBeLessThan(LONGEST_TURN_MS);
}, 120_000);
