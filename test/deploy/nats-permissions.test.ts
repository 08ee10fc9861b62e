/** The permissions of deploy/nats/cluster, which docs/operations.md recommends, are enough for replicas, and for nothing else. */
import { connect, type NatsConnection } from 'nats';
import { CleanUp } from '../support/clean-up';
import { NatsServerProcess } from '../support/nats-server';
import { ReplicaProcess } from '../support/replica-process';
import { until } from '../support/until';
import { readText } from './project-files';

const REPLICA = { user: 'metadata-center', pass: 'replica-secret' };
const TAP = { user: 'metadata-center-tap', pass: 'tap-secret' };

describe('deploy/nats/cluster/permissions.conf', () => {
  let nats: NatsServerProcess;
  const replicas: ReplicaProcess[] = [];
  const cleanUp = new CleanUp();
  let env: Record<string, string>;

  const signIn = (credentials: typeof TAP): Promise<NatsConnection> =>
    cleanUp.use(connect({ servers: nats.url, ...credentials }), (it) => it.close());

  const startReplica = async (): Promise<ReplicaProcess> => {
    const replica = await cleanUp.use(ReplicaProcess.start({ env }), (it) => it.kill());
    replicas.push(replica);
    return replica;
  };

  beforeAll(async () => {
    const config = readText('deploy/nats/cluster/permissions.conf')
      .replace('$REPLICA_PASSWORD', REPLICA.pass)
      .replace('$TAP_PASSWORD', TAP.pass);
    const starting = NatsServerProcess.start({
      config: `jetstream { store_dir: "{folder}" }\nauthorization {\n${config}\n}`,
    });
    nats = await cleanUp.use(starting, (it) => it.stop());
    env = {
      NATS_URL: nats.url,
      NATS_USER: REPLICA.user,
      NATS_PASS: REPLICA.pass,
      NATS_HISTORY: 'required',
    };
    for (let count = 0; count < 2; count++) await startReplica();
  });

  afterAll(() => cleanUp.run());

  it('lets replicas share every type of event, their heartbeats and a history, without one denied subject', async () => {
    const [first, second] = replicas as [ReplicaProcess, ReplicaProcess];
    const tap = await signIn(TAP);
    const seen = new Set<string>();
    tap.subscribe('metadata-center.>', { callback: (_error, { subject }) => seen.add(subject) });
    await tap.flush();
    const send = async (method: string, path: string, body: object): Promise<number> =>
      (await fetch(first.url + path, { method, body: JSON.stringify(body) })).status;
    const row = async (): Promise<string> => (await fetch(`${second.url}/v1/load/stats?cluster=c`)).text();

    const add = { cluster: 'c', request_id: 'r', ip: '10.0.0.1', prompt_length: 7 };
    expect(await send('POST', '/v1/load/stats', add)).toBe(200);
    await until(async () => (await row()).includes('"prompt_length":7'), {
      describe: 'the add at the other',
    });
    expect(await send('DELETE', '/v1/load/prompt', { request_id: 'r' })).toBe(200);
    expect(await send('DELETE', '/v1/load/stats', { request_id: 'r' })).toBe(200);
    await until(async () => (await row()).includes('"queued_req_num":0'), {
      describe: 'the delete at the other',
    });

    const prompt = { cluster: 'c', prompt_hash: [42] };
    const cached = async (): Promise<string> =>
      (await fetch(`${second.url}/v1/cache/query`, { method: 'POST', body: JSON.stringify(prompt) })).text();
    expect(await send('POST', '/v1/cache/save', { ...prompt, ip: '10.0.0.1' })).toBe(200);
    await until(async () => (await cached()).includes('"length":1'), { describe: 'the save at the other' });
    expect(await send('DELETE', '/v1/cache', { ip: '10.0.0.1' })).toBe(200);
    await until(async () => (await cached()).includes('"locations":[]'), {
      describe: 'the clear at the other',
    });

    const subjects = [
      'cache.save',
      'cache.clear',
      'load.add',
      'load.prompt-delete',
      'load.delete',
      'replica.heartbeat',
    ];
    await until(() => subjects.every((subject) => seen.has(`metadata-center.${subject}`)), {
      describe: () => `all subjects at the tap, not only ${[...seen].join(', ')}`,
    });
    // A late one rebuilds its rows from the stream that the first one made.
    const late = await startReplica();
    const metrics = await (await fetch(`${late.url}/metrics`)).text();
    expect(metrics).toMatch(/^metacenter_history_available 1$/m);
    expect(metrics).toMatch(/^metacenter_history_replayed_total 3$/m);

    for (const replica of replicas) expect(replica.logged('bus trouble')).toBeUndefined();
    expect(nats.log).not.toMatch(/Violation/);
  });

  it.each([
    ['a replica', REPLICA, 'other.subject'],
    ['a replica', REPLICA, '$JS.API.STREAM.DELETE.x'],
    ['the tap', TAP, 'metadata-center.load.add'],
  ])('denies that %s publishes elsewhere (%#)', async (_who, credentials, subject) => {
    const connection = await signIn(credentials);
    const denied = new Promise<string>((resolve) => {
      void (async () => {
        for await (const { permissionContext } of connection.status() as AsyncIterable<{
          permissionContext?: { subject: string };
        }>)
          if (permissionContext) resolve(permissionContext.subject);
      })();
    });
    connection.publish(subject, 'x');
    expect(await denied).toBe(subject);
  });
});
