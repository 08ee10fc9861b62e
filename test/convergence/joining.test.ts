/** A replica that joins a cluster with much in flight, and one that comes back after having been forgotten. */
import { CleanUp } from '../support/clean-up';
import { until } from '../support/until';
import { seededRandom } from '../support/seeded-random';
import { runs } from '../support/size';
import { Fleet } from './fleet';
import { Workload } from './workload';

const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000);

let fleet: Fleet;
let load: Workload;

const cleanUp = new CleanUp();

afterEach(() => cleanUp.run());

async function start(size: number, env: Record<string, string>): Promise<void> {
  fleet = await cleanUp.use(Fleet.start({ size, env }), (it) => it.stop());
  load = new Workload(seededRandom(SEED), fleet.urls);
  cleanUp.add(() => load.close());
}

async function inFlight(url: string): Promise<number> {
  const response = await fetch(`${url}/v1/replica/status`);
  const { data } = (await response.json()) as { data: { counts: { in_flight: number } } };
  return data.counts.in_flight;
}

/** Node's histogram counts from one look to the next: an event loop that is never held shows this much. */
const LOOK_EVERY_MS = 10;

/** The longest that the event loop was held since the last scrape, ms. */
async function longestDelayMs(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^nodejs_eventloop_lag_max_seconds (\S+)$/m.exec(text)![1]) * 1000 - LOOK_EVERY_MS;
}

const IN_FLIGHT = runs(100_000);

test(`I1 I2: with ${IN_FLIGHT} requests in flight a fresh replica is ready and right soon after its port is open`, async () => {
  await start(2, { LOG_LEVEL: 'info' });
  const [serving, joiner] = fleet.members;
  await joiner!.replica.kill();
  load.targets = [fleet.urls[0]!];
  await load.addMany(IN_FLIGHT);
  expect(await inFlight(fleet.urls[0]!)).toBe(IN_FLIGHT);

  await longestDelayMs(fleet.urls[0]!);
  await fleet.launch(joiner!);
  await until(() => joiner!.replica.logged('started'), { intervalMs: 5, describe: 'the port is open' });
  const opened = Date.now();
  await joiner!.replica.ready();
  const readyMs = Date.now() - opened;
  expect(await load.differenceAt(fleet.urls[1]!)).toBe('');
  const delayMs = await longestDelayMs(fleet.urls[0]!);
  process.stdout.write(
    `joining with ${IN_FLIGHT} in flight: ready and right ${readyMs} ms after the port was open; event loop of ${serving!.host} held for ${delayMs.toFixed(1)} ms at the most\n`,
  );
  // 2 s and 20 ms on an idle machine; other work on the same cores must not fail the test.
  expect(readyMs).toBeLessThan(10_000);
});

test('I3: a replica cut off for longer than finished ids are remembered brings nothing back', async () => {
  await start(3, { METADATA_CENTER_LOAD_REQ_EXPIRE: '15s', METADATA_CENTER_FINISHED_RETENTION: '1s' });
  const lives = await Promise.all(Array.from({ length: 300 }, () => load.add()));
  await load.converged(fleet.urls, 5_000);
  const [, , cut] = fleet.members;
  fleet.cutOff(cut!);
  load.targets = fleet.urls.slice(0, 2);
  await Promise.all(lives.map((live) => load.finish(live)));
  const finished = Date.now();
  await load.converged(fleet.urls.slice(0, 2), 5_000);
  // A gateway tries again, at the replica that is cut off and knows of nothing, what was finished meanwhile.
  load.targets = [fleet.urls[2]!];
  await Promise.all(lives.map((live) => load.resend(live)));
  load.targets = fleet.urls;
  await until(() => Date.now() - finished > 16_500, {
    timeoutMs: 18_000,
    describe: 'every finished id is forgotten',
  });
  fleet.heal(cut!);
  const ms = await load.converged(fleet.urls, 10_000);
  process.stdout.write(
    `cut off beyond the memory of finished ids: equal ${ms} ms after healing (seed ${SEED})\n`,
  );
  for (const url of fleet.urls) expect(await inFlight(url)).toBe(0);
});
