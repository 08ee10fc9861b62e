/** What replicas say of their history is so: whose stream it is, whether it was replayed, whether it is being kept. */
import { connect, type NatsConnection } from 'nats';
import { CleanUp } from '../support/clean-up';
import { JETSTREAM, NatsServerProcess } from '../support/nats-server';
import { ReplicaProcess } from '../support/replica-process';
import { until } from '../support/until';
import { NatsCluster } from './nats-cluster';
import { readyz, type Readyz } from './restarts';

const STREAM = 'metadata-center-load';

const cleanUp = new CleanUp();
afterEach(() => cleanUp.run());

function startNats(): Promise<NatsServerProcess> {
  return cleanUp.use(NatsServerProcess.start({ config: JETSTREAM }), (it) => it.stop());
}

function tap(url: string): Promise<NatsConnection> {
  return cleanUp.use(connect({ servers: url }), (it) => it.close());
}

async function launch(urls: string, env: Record<string, string> = {}): Promise<ReplicaProcess> {
  const replica = await cleanUp.use(ReplicaProcess.launch({ env: { NATS_URL: urls, ...env } }), (it) =>
    it.kill(),
  );
  await replica.healthy();
  return replica;
}

async function says(
  { url }: ReplicaProcess,
  isSo: (state: Readyz) => boolean,
  timeoutMs = 20_000,
): Promise<Readyz> {
  let last: Readyz | undefined;
  return until(async () => (isSo((last = await readyz(url))) ? last : undefined), {
    timeoutMs,
    describe: () => JSON.stringify(last),
  });
}

async function add({ url }: ReplicaProcess, id: string): Promise<void> {
  const body = JSON.stringify({ cluster: 'm', request_id: id, prompt_length: 1, ip: '10.0.0.1' });
  expect((await fetch(`${url}/v1/load/stats`, { method: 'POST', body })).status).toBe(200);
}

async function queued({ url }: ReplicaProcess): Promise<number> {
  const response = await fetch(`${url}/v1/load/stats?cluster=m`);
  return ((await response.json()) as { data: { queued_req_num: number }[] }).data[0]?.queued_req_num ?? 0;
}

const isKept = ({ history }: Readyz): boolean => history['available'] === true;

test('I2: prefixes a.b and a_b have a stream each, and each gets its own rows back', async () => {
  const nats = await startNats();
  for (const round of [0, 1]) {
    const replicas: ReplicaProcess[] = [];
    for (const NATS_SUBJECT_PREFIX of ['a.b', 'a_b']) {
      const replica = await launch(nats.url, { NATS_SUBJECT_PREFIX });
      await says(replica, (it) => it.ready && isKept(it));
      replicas.push(replica);
    }
    for (const [i, replica] of replicas.entries()) {
      expect(await queued(replica)).toBe(round * (i + 1));
      if (round === 0) for (let n = 0; n <= i; n++) await add(replica, `${i}-${n}`);
    }
    for (const replica of replicas) await replica.stop();
  }
});

test('a stream of other subjects is not taken over but refused, with the reason', async () => {
  const nats = await startNats();
  const manager = await (await tap(nats.url)).jetstreamManager();
  await manager.streams.add({ name: STREAM, subjects: ['theirs.*'] });
  const replica = await launch(nats.url);
  await says(replica, ({ history }) => /captures theirs\.\*.*left alone/.test(String(history['reason'])));
  expect((await manager.streams.info(STREAM)).config.subjects).toEqual(['theirs.*']);
});

test('a stream whose subjects are changed, or that is deleted and made anew, is noticed while running', async () => {
  const nats = await startNats();
  const manager = await (await tap(nats.url)).jetstreamManager();
  const replica = await launch(nats.url);
  await says(replica, (it) => it.ready && !it.degraded && isKept(it));
  const { config } = await manager.streams.info(STREAM);
  await manager.streams.update(STREAM, { ...config, subjects: ['theirs.*'] });
  await says(replica, (it) => it.ready && it.degraded && /history: .*theirs/.test(it.reason));
  await manager.streams.delete(STREAM);
  await says(replica, (it) => !it.degraded && isKept(it));
  await replica.hasLogged(/made anew/);
});

test('I2: where the stream allows one consumer, every replica gets its rows back, and none is ready and at ease before', async () => {
  const nats = await startNats();
  const manager = await (await tap(nats.url)).jetstreamManager();
  const { config } = await manager.streams.add({ name: STREAM, subjects: ['metadata-center.load.*'] });
  await manager.streams.delete(STREAM);
  await manager.streams.add({ ...config, max_consumers: 1 });
  const before = await launch(nats.url);
  await says(before, (it) => it.ready && isKept(it));
  await add(before, 'a');
  await add(before, 'b');
  await before.stop();
  // Somebody has the only one.
  await manager.consumers.add(STREAM, { durable_name: 'theirs', ack_policy: 'none' as never });
  const [auto, required] = [await launch(nats.url), await launch(nats.url, { NATS_HISTORY: 'required' })];
  const owed = await says(auto, ({ reason }) => /history/.test(reason) && /maximum consumers/.test(reason));
  expect([owed.degraded, owed.reason]).toEqual([true, expect.stringContaining('the stream allows no more')]);
  expect(await readyz(required.url)).toMatchObject({ ready: false, degraded: true });
  await manager.consumers.delete(STREAM, 'theirs');
  for (const replica of [auto, required]) {
    await says(replica, (it) => it.ready && !it.degraded, 30_000);
    expect(await queued(replica)).toBe(2);
  }
  // A consumer that is done does not stay until it is forgotten.
  await until(async () => (await manager.streams.info(STREAM)).state.consumer_count === 0, {
    timeoutMs: 3_000,
    describe: 'no consumer is left',
  });
}, 90_000);

test('a NATS cluster without quorum: replicas say that no history is kept, also when all of them are started again', async () => {
  const nats = await cleanUp.use(NatsCluster.start(), (it) => it.stop());
  const env = { NATS_HISTORY_REPLICAS: '3', NATS_HISTORY_STORAGE: 'file' };
  const first = await launch(nats.urls, env);
  await says(first, (it) => it.ready && !it.degraded && isKept(it), 40_000);
  await add(first, 'a');
  await nats.settled(STREAM, ({ state }) => state.messages === 1);
  await Promise.all(nats.servers.slice(1).map((server) => server.kill()));
  await says(first, (it) => it.degraded && /^history: /.test(it.reason), 60_000);
  await first.kill();
  const second = await launch(nats.urls, env);
  await says(second, ({ ready }) => ready, 40_000);
  const endsAt = Date.now() + 3_000;
  while (Date.now() < endsAt) expect(await readyz(second.url)).toMatchObject({ degraded: true });
  await Promise.all(nats.servers.slice(1).map((server) => server.run()));
  await says(second, (it) => it.ready && !it.degraded && isKept(it), 60_000);
  expect(await queued(second)).toBe(1);
}, 240_000);
