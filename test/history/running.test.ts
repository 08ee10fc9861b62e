/** The history while replicas run: made once by several, lost and had again, and searched for what nobody else has. */
import { connect, type NatsConnection } from 'nats';
import { Fleet } from '../convergence/fleet';
import { Workload } from '../convergence/workload';
import { CleanUp } from '../support/clean-up';
import { JETSTREAM, NatsServerProcess } from '../support/nats-server';
import { ReplicaProcess } from '../support/replica-process';
import { seededRandom } from '../support/seeded-random';
import { until } from '../support/until';
import { captured, fill, STREAM } from './bulk';
import { deleteAgain, killAll, readyz, startAllAndCompare, type Readyz } from './restarts';

const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000);

const cleanUp = new CleanUp();

afterEach(() => cleanUp.run());

async function startFleet(size: number, env: Record<string, string> = {}): Promise<[Fleet, Workload]> {
  const starting = Fleet.start({ size, natsConfig: JETSTREAM, env: { NATS_HISTORY: 'auto', ...env } });
  const fleet = await cleanUp.use(starting, (it) => it.stop());
  const load = new Workload(seededRandom(SEED), fleet.urls);
  cleanUp.add(() => load.close());
  return [fleet, load];
}

function tap(nats: NatsServerProcess): Promise<NatsConnection> {
  return cleanUp.use(connect({ servers: nats.url }), (it) => it.close());
}

async function says(url: string, isSo: (state: Readyz) => boolean): Promise<void> {
  let last: Readyz | undefined;
  await until(async () => isSo((last = await readyz(url))), {
    timeoutMs: 20_000,
    describe: () => JSON.stringify(last),
  });
}

async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1]);
}

test('three replicas that start together make one stream, and leave it alone when they start again', async () => {
  const [fleet] = await startFleet(3);
  const manager = await (await tap(fleet.nats)).jetstreamManager();
  await Promise.all(fleet.urls.map((url) => says(url, ({ history }) => history['available'] === true)));
  const { created } = await manager.streams.info(STREAM);
  const how = await Promise.all(fleet.members.map(({ replica }) => replica.hasLogged(/^history stream/)));
  expect(how.filter(({ msg }) => msg === 'history stream created').length).toBeGreaterThan(0);
  await killAll(fleet);
  await Promise.all(fleet.members.map((member) => fleet.launch(member)));
  await Promise.all(fleet.members.map(({ replica }) => replica.ready()));
  for (const { replica } of fleet.members) {
    expect(await replica.hasLogged(/^history stream/)).toMatchObject({ msg: 'history stream found' });
    expect(replica.logged('no history')).toBeUndefined();
  }
  expect((await manager.streams.info(STREAM)).created).toBe(created);
});

test('I6: JetStream that is lost while running is said and missed by nobody; it comes back by itself', async () => {
  const [fleet, load] = await startFleet(2);
  await fill(load, 100);
  const [url = ''] = fleet.urls;
  await fleet.nats.kill();
  fleet.nats.configure('');
  await fleet.nats.run();
  // Each is connected again: what is reported before that is published more than once.
  for (const each of fleet.urls)
    await says(
      each,
      ({ ready, degraded, reason }) => ready && degraded && /history: .*no JetStream/.test(reason),
    );
  expect(await metric(url, 'metacenter_history_available')).toBe(0);
  await fill(load, 100);
  await load.converged(fleet.urls, 5_000);

  fleet.nats.configure(JETSTREAM);
  await fleet.nats.restart();
  for (const each of fleet.urls)
    await says(each, ({ degraded, history }) => !degraded && history['available'] === true);
  expect(await metric(url, 'metacenter_history_available')).toBe(1);
  const before = load.reports;
  await fill(load, 100);
  await load.converged(fleet.urls, 5_000);
  // The new stream has taken what came since (once at least), and what came before is with the replicas.
  await until(async () => (await metric(url, 'metacenter_history_messages')) >= load.reports - before, {
    describe: 'the metrics follow the stream',
  });
  // So a replica that starts now is not made ready by the stream alone.
  const [, second] = fleet.members;
  await second!.replica.kill();
  await fleet.launch(second!);
  await second!.replica.ready();
  expect(await load.differenceAt(fleet.urls[1]!)).toBe('');
  expect((await readyz(fleet.urls[1]!)).reason).toBe('caught up with its peers; 1 of 1 peers ready');
});

test('I4: what was published while the bus was lost, by a replica that is gone since, is replayed', async () => {
  const [fleet, load] = await startFleet(2);
  const [away, dying] = fleet.members;
  // Its peers are out of reach too: nobody tells it how far the other one had got.
  fleet.cutOff(away!);
  await says(fleet.urls[0]!, ({ peers }) => Object.keys(peers).length === 0);
  load.targets = [`http://${dying!.host}:${fleet.port}`];
  await fill(load, 100);
  await captured(fleet.nats.url, load.reports);
  await dying!.replica.kill();
  fleet.heal(away!);
  await load.converged([`http://${away!.host}:${fleet.port}`], 5_000);
  expect(load.live.size).toBe(100);
});

test('I1 I3: a file stream outlives the nats-server, and the replicas with it', async () => {
  const [fleet, load] = await startFleet(2, { NATS_HISTORY_STORAGE: 'file' });
  const { finished } = await fill(load, 500);
  const [url = ''] = fleet.urls;
  await captured(fleet.nats.url, load.reports);
  await killAll(fleet);
  await fleet.nats.kill('SIGTERM');
  await fleet.nats.run();
  await startAllAndCompare(fleet, load);
  expect(await deleteAgain(url, finished)).toEqual(['40001404']);
});

test('status and metrics show the stream, and replayed events are no sign of latency', async () => {
  const [fleet, load] = await startFleet(1);
  await fill(load, 200);
  await captured(fleet.nats.url, load.reports);
  await killAll(fleet);
  await startAllAndCompare(fleet, load);
  const [url = ''] = fleet.urls;
  const { data } = (await (await fetch(`${url}/v1/replica/status`)).json()) as {
    data: { history: Record<string, unknown> };
  };
  expect(data.history).toMatchObject({
    state: 'young',
    available: true,
    stream: STREAM,
    messages: load.reports,
    replayed: load.reports,
    to_replay: 0,
  });
  const { first_time: first, last_time: last, bytes, replay_ms: replayMs } = data.history;
  const [firstMs, lastMs] = [Date.parse(String(first)), Date.parse(String(last))];
  expect(Date.now() - firstMs).toBeLessThan(60_000);
  expect([lastMs >= firstMs, Number(bytes) > load.reports * 100, typeof replayMs]).toEqual([
    true,
    true,
    'number',
  ]);
  for (const [name, value] of [
    ['metacenter_history_state{state="young"}', 1],
    ['metacenter_history_state{state="replaying"}', 0],
    ['metacenter_history_messages', load.reports],
    ['metacenter_history_bytes', bytes],
    ['metacenter_history_first_time_seconds', firstMs / 1000],
    ['metacenter_history_last_time_seconds', lastMs / 1000],
    ['metacenter_history_replayed_total', load.reports],
    ['metacenter_history_replay_duration_ms', replayMs],
    ['replication_latency_ms_count', 0],
  ] as const) {
    expect([name, await metric(url, name.replace(/[{}]/g, '\\$&'))]).toEqual([name, value]);
  }
});

test('switched off, or without NATS, there is no history and nothing is missing', async () => {
  const nats = await cleanUp.use(NatsServerProcess.start({ config: JETSTREAM }), (it) => it.stop());
  const env = { NATS_URL: nats.url, NATS_HISTORY: 'off' };
  const off = await cleanUp.use(ReplicaProcess.start({ env }), (it) => it.kill());
  const alone = await cleanUp.use(ReplicaProcess.start(), (it) => it.kill());
  for (const { url } of [off, alone]) {
    expect(await readyz(url)).toMatchObject({
      degraded: false,
      history: { state: 'none', available: false },
    });
  }
  const manager = await (await tap(nats)).jetstreamManager();
  expect(await manager.streams.names().next()).toEqual([]);
});
