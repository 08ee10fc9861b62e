/**
 * Every replica dies at once and comes back: no peer has a snapshot, and what the bus remembers makes each of them equal
 * to the recount the moment that it is ready.
 */
import { Fleet } from '../convergence/fleet';
import { Workload } from '../convergence/workload';
import { seededRandom } from '../support/seeded-random';
import { fill } from './bulk';
import { deleteAgain, killAll, startAllAndCompare } from './restarts';

const JETSTREAM = 'jetstream: { store_dir: "{folder}", max_memory_store: 1GB, max_file_store: 1GB }';
const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000);

let fleet: Fleet | undefined;
let load: Workload | undefined;

afterEach(async () => {
  load?.close();
  await fleet?.stop();
});

test('I1 I2 I3: 4,000 requests in flight survive kill -9 of every replica', async () => {
  fleet = await Fleet.start({ size: 2, natsConfig: JETSTREAM, env: { NATS_HISTORY: 'auto' } });
  load = new Workload(seededRandom(SEED), fleet.urls);
  const { finished } = await fill(load, 4_000);
  await killAll(fleet);
  const times = await startAllAndCompare(fleet, load);
  process.stdout.write(`${load.live.size} in flight, right when ready after ${times.join(' and ')} ms\n`);
  expect(load.live.size).toBe(4_000);
  for (const url of fleet.urls) expect(await deleteAgain(url, finished)).toEqual(['40001404']);
  expect(load.refused).toEqual([]);
});
