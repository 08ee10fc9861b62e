/** Where there can be no history, or not all of it, a replica serves and says why; unless history is required. */
import { connect, type NatsConnection } from 'nats';
import { CleanUp } from '../support/clean-up';
import { JETSTREAM, NatsServerProcess } from '../support/nats-server';
import { ReplicaProcess } from '../support/replica-process';
import { until } from '../support/until';
import type { Readyz } from './restarts';
import { readyz } from './restarts';

const cleanUp = new CleanUp();

afterEach(() => cleanUp.run());

function startNats(config: string): Promise<NatsServerProcess> {
  return cleanUp.use(NatsServerProcess.start({ config }), (it) => it.stop());
}

function tap(nats: NatsServerProcess): Promise<NatsConnection> {
  return cleanUp.use(connect({ servers: nats.url }), (it) => it.close());
}

async function launch(nats: NatsServerProcess, env: Record<string, string> = {}): Promise<ReplicaProcess> {
  const starting = ReplicaProcess.launch({ env: { NATS_URL: nats.url, ...env } });
  const replica = await cleanUp.use(starting, (it) => it.kill());
  await replica.healthy();
  return replica;
}

/** Waits until the reason given for the history matches. */
async function saysOfHistory({ url }: ReplicaProcess, reason: RegExp): Promise<Readyz> {
  let last: Readyz | undefined;
  return until(
    async () => {
      last = await readyz(url);
      return reason.test(String(last.history['reason'])) ? last : undefined;
    },
    { timeoutMs: 15_000, describe: () => `says ${String(reason)}: ${JSON.stringify(last)}` },
  );
}

async function add({ url }: ReplicaProcess, id: string): Promise<void> {
  const body = JSON.stringify({ cluster: 'm', request_id: id, prompt_length: 1, ip: '10.0.0.1' });
  const response = await fetch(`${url}/v1/load/stats`, { method: 'POST', body });
  expect(response.status).toBe(200);
}

async function queued({ url }: ReplicaProcess): Promise<number | undefined> {
  const response = await fetch(`${url}/v1/load/stats?cluster=m`);
  return ((await response.json()) as { data: { queued_req_num: number }[] }).data[0]?.queued_req_num;
}

const withUser = (permissions: string): string =>
  `${JETSTREAM}
  authorization { users: [ { user: a, password: b, permissions: { ${permissions} } } ] }`;
const SIGNED_IN = { NATS_USER: 'a', NATS_PASS: 'b' };

test.each<[string, string, Record<string, string>, RegExp]>([
  ['a server without JetStream', '', {}, /the server has no JetStream/],
  [
    'a server with too little room',
    'jetstream: { store_dir: "{folder}", max_memory_store: 16MB, max_file_store: 16MB }',
    {},
    /insufficient memory/,
  ],
  [
    'a server without enough others to keep copies on',
    JETSTREAM,
    { NATS_HISTORY_REPLICAS: '3' },
    /replicas > 1 not supported/,
  ],
  [
    'an account without JetStream',
    `${JETSTREAM}
     accounts { A: { users: [ { user: a, password: b } ] }, J: { jetstream: enabled, users: [ { user: j, password: b } ] } }`,
    SIGNED_IN,
    /not enabled for account/,
  ],
  [
    'a user who may not use JetStream',
    withUser('publish: { deny: "$JS.>" }'),
    SIGNED_IN,
    /Permissions Violation for Publish to "\$JS\.API/,
  ],
  [
    'a user who may not make streams',
    withUser('publish: { deny: "$JS.API.STREAM.CREATE.>" }'),
    SIGNED_IN,
    /Permissions Violation for Publish to "\$JS\.API\.STREAM\.CREATE/,
  ],
  [
    'a user who hears no answers',
    withUser('subscribe: { deny: "_INBOX.>" }'),
    SIGNED_IN,
    /Permissions Violation for Subscription to "_INBOX/,
  ],
])('I6: with %s a replica serves and says why there is no history', async (_what, config, env, reason) => {
  const replica = await launch(await startNats(config), env);
  await saysOfHistory(replica, reason);
  await replica.ready();
  const { bus, history, degraded } = (await readyz(replica.url)) as Readyz & { bus: object };
  expect([bus, history, degraded]).toMatchObject([{ connected: true }, { available: false }, false]);
  await add(replica, 'r');
  expect(await queued(replica)).toBe(1);
});

test('I6 I7: a stream that is full by its bytes is replayed as far as it goes, and the replica says so', async () => {
  const nats = await startNats(JETSTREAM);
  const env = { NATS_HISTORY_MAX_BYTES: String(1024 * 1024) };
  const first = await launch(nats, env);
  await first.ready();
  const connection = await tap(nats);
  for (let i = 0; i < 300; i++) connection.publish('metadata-center.load.padding', Buffer.alloc(4_000));
  await connection.drain();
  await first.kill();
  const second = await launch(nats, env);
  await second.ready();
  expect(await saysOfHistory(second, /is full: it keeps events from \d{4}-.* on only/)).toMatchObject({
    degraded: true,
    history: { state: 'young', available: true },
  });
});

test("I6: an operator's stream that is full and takes nothing more is respected, and the replica says so", async () => {
  const nats = await startNats(JETSTREAM);
  const manager = await (await tap(nats)).jetstreamManager();
  await manager.streams.add({
    name: 'ours',
    subjects: ['metadata-center.>'],
    max_msgs: 3,
    discard: 'new' as never,
    storage: 'memory' as never,
  });
  const replica = await launch(nats);
  await replica.ready();
  for (const id of ['a', 'b', 'c', 'd']) await add(replica, id);
  await saysOfHistory(replica, /ours is full and takes no new events/);
  const config = await replica.hasLogged(/differs from the environment/);
  expect(config).toMatchObject({ stream: 'ours' });
  expect(JSON.stringify(config)).toMatch(/discard new instead of old/);
  expect((await manager.streams.info('ours')).config).toMatchObject({ max_msgs: 3, discard: 'new' });
});

test('history that is required and can not be had keeps a replica from being ready, also beyond the time-out', async () => {
  const nats = await startNats('');
  const env = { NATS_HISTORY: 'required', METADATA_CENTER_READY_TIMEOUT: '200ms' };
  const replica = await launch(nats, env);
  await saysOfHistory(replica, /the server has no JetStream/);
  await until(async () => (await uptimeMs(replica)) > 1_000, { describe: 'the time-out is over' });
  await until(async () => (await readyz(replica.url)).reason !== 'warming up', { describe: 'it is warm' });
  expect(await readyz(replica.url)).toMatchObject({
    ready: false,
    reason: 'history is required: the server has no JetStream',
  });
  nats.configure(JETSTREAM);
  await nats.restart();
  await replica.ready();
});

async function uptimeMs({ url }: ReplicaProcess): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const started = /^process_start_time_seconds (\d+)/m.exec(text)?.[1];
  return Date.now() - Number(started) * 1000 - 1000;
}
