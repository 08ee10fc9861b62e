/**
 * Real processes, a real nats-server, real DNS answers: whatever is broken, every replica equals the recount of what
 * the clients did within 5 s of healing.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { CleanUp } from '../support/clean-up';
import { seededRandom } from '../support/seeded-random';
import { runs } from '../support/size';
import { until } from '../support/until';
import { Fleet } from './fleet';
import { Workload } from './workload';

const HEALED_WITHIN_MS = 5_000;
const LANES = runs(12);
const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000);

let fleet: Fleet;
let load: Workload;
const cleanUp = new CleanUp();

// One fleet for all, and one recount: each test leaves it healed.
beforeAll(async () => {
  const env = { METADATA_CENTER_READY_TIMEOUT: '5s', LOG_LEVEL: 'info' };
  fleet = await cleanUp.use(Fleet.start({ size: 3, env }), (it) => it.stop());
  load = new Workload(seededRandom(SEED), fleet.urls);
  cleanUp.add(() => load.close());
});

afterAll(() => cleanUp.run());

beforeEach(() => {
  load.targets = fleet.urls;
  load.start(LANES);
});

async function healed(what: string): Promise<void> {
  await load.stop();
  const ms = await load.converged(fleet.urls, HEALED_WITHIN_MS);
  process.stdout.write(
    `${what}: ${load.reports} reports, equal ${ms} ms after the last one (seed ${SEED})\n`,
  );
  expect(load.refused).toEqual([]);
}

async function busState(index: number, connected: boolean): Promise<void> {
  await until(
    async () => {
      const response = await fetch(`${fleet.urls[index]!}/readyz`);
      const { data } = (await response.json()) as { data: { bus: { connected: boolean } } };
      return data.bus.connected === connected;
    },
    {
      timeoutMs: 20_000,
      describe: `replica ${index} says that its bus is ${connected ? 'connected' : 'lost'}`,
    },
  );
}

test('I1 I2 I4: a replica that is killed and started anew under load is right when it is ready', async () => {
  await load.more(runs(500), 'load runs');
  const [, , victim] = fleet.members;
  await fleet.replaceUnder(load, victim!, runs(500));
  await healed('kill -9 and restart of a replica');
});

test('I4 I6: while nats-server is dead for seconds every replica takes reports, and all agree when it is back', async () => {
  await load.more(runs(300), 'load runs');
  await fleet.nats.kill();
  await busState(0, false);
  await load.more(runs(1000), 'load goes on without the bus');
  await fleet.nats.run();
  await Promise.all([0, 1, 2].map((index) => busState(index, true)));
  await healed('nats-server killed and restarted');
});

test('I4 I6: a link that swallows everything in silence is noticed, and what was lost is repaired both ways', async () => {
  await load.more(runs(300), 'load runs');
  const [, member] = fleet.members;
  member!.link.swallow(true);
  await busState(1, false);
  member!.link.swallow(false);
  await busState(1, true);
  await healed('a link silent beyond the ping interval');
});

test('I1 I4: a replica whose link flaps under load ends with the same rows as the others', async () => {
  for (let i = 0; i < 8; i++) {
    const { link } = fleet.members[i % 3]!;
    link.swallow(true);
    await delay(200);
    link.swallow(false);
    await delay(300);
  }
  await Promise.all([0, 1, 2].map((index) => busState(index, true)));
  await healed('flapping links');
});

test('I1 I4: a replica that is paused for seconds catches up when it goes on', async () => {
  await load.more(runs(300), 'load runs');
  const [paused, ...others] = fleet.members;
  load.targets = others.map(({ host }) => `http://${host}:${fleet.port}`);
  paused!.replica.signal('SIGSTOP');
  await delay(4_000);
  paused!.replica.signal('SIGCONT');
  await healed('a replica paused for 4 s');
});
