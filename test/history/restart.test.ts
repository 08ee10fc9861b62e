/**
 * Every replica dies at once and comes back: no peer has a snapshot, and what the bus remembers makes each of them equal
 * to the recount the moment that it is ready.
 */
import { Fleet, type FleetOptions } from '../convergence/fleet';
import { Workload } from '../convergence/workload';
import { CleanUp } from '../support/clean-up';
import { seededRandom } from '../support/seeded-random';
import { runs } from '../support/size';
import { until } from '../support/until';
import { captured, fill, STREAM } from './bulk';
import { NatsCluster } from './nats-cluster';
import { deleteAgain, killAll, readyz, startAllAndCompare } from './restarts';
import { JETSTREAM } from '../support/nats-server';

const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000);

const cleanUp = new CleanUp();

afterEach(() => cleanUp.run());

async function startFleet(options: Omit<FleetOptions, 'size'>): Promise<[Fleet, Workload]> {
  const fleet = await cleanUp.use(Fleet.start({ size: 2, ...options }), (it) => it.stop());
  const load = new Workload(seededRandom(SEED), fleet.urls);
  cleanUp.add(() => load.close());
  return [fleet, load];
}

const IN_FLIGHT = runs(4_000);

test(`I1 I2 I3: ${IN_FLIGHT} requests in flight survive kill -9 of every replica`, async () => {
  const [fleet, load] = await startFleet({ natsConfig: JETSTREAM, env: { NATS_HISTORY: 'auto' } });
  const { finished } = await fill(load, IN_FLIGHT);
  await captured(fleet.nats.url, load.reports);
  await killAll(fleet);
  const times = await startAllAndCompare(fleet, load);
  process.stdout.write(`${load.live.size} in flight, right when ready after ${times.join(' and ')} ms\n`);
  expect(load.live.size).toBe(IN_FLIGHT);
  for (const url of fleet.urls) expect(await deleteAgain(url, finished)).toEqual(['40001404']);
  expect(load.refused).toEqual([]);
});

test('I1 I2 I3: the same on three nats-servers of which one, the leader of the stream, was killed before', async () => {
  const cluster = await cleanUp.use(NatsCluster.start(), (it) => it.stop());
  const env = {
    NATS_URL: cluster.urls,
    NATS_HISTORY: 'required',
    NATS_HISTORY_REPLICAS: '3',
    METADATA_CENTER_READY_TIMEOUT: '15s',
  };
  const [fleet, load] = await startFleet({ env });
  const { finished } = await fill(load, IN_FLIGHT / 2);
  const { reports } = load;
  await cluster.settled(STREAM, ({ state }) => state.messages >= reports);

  const leader = await cluster.leaderOf(STREAM);
  await leader.kill();
  await cluster.settled(STREAM);
  for (const url of fleet.urls) {
    await until(async () => !(await readyz(url)).degraded, { describe: `${url} has settled` });
  }
  const more = await fill(load, IN_FLIGHT / 2);
  await cluster.settled(STREAM, ({ state }) => state.messages >= load.reports);

  await killAll(fleet);
  const times = await startAllAndCompare(fleet, load);
  process.stdout.write(`three servers, one dead: ready after ${times.join(' and ')} ms\n`);
  expect(load.live.size).toBe(IN_FLIGHT);
  for (const url of fleet.urls) {
    expect(await deleteAgain(url, [...finished, ...more.finished])).toEqual(['40001404']);
  }
});
