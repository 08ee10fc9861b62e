/** Requests that come in one packet: their answers wait behind each other, and some never get their turn. */
import { CleanUp } from '../support/clean-up';
import { ReplicaProcess } from '../support/replica-process';
import { until } from '../support/until';
import { call, post, RawConnection } from './client';
import { type Replica, startReplica, stopReplicas } from './replica';

let replica: Replica;

const cleanUp = new CleanUp();
afterEach(() => cleanUp.run());

beforeEach(async () => void (replica = await startReplica()));
afterEach(stopReplicas);

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: replica\r\n\r\n`;
const watch = get('/v1/load/watch?cluster=c');

it('pipelined streams end with their connection, though only the first was ever sent (I7)', async () => {
  const raw = (await RawConnection.open(replica.port)).send(watch.repeat(10));
  await until(() => replica.watchers.count === 10, { describe: 'all ten watch' });
  await raw.until(() => raw.received.includes('event: rows'));
  raw.close();
  await until(() => replica.watchers.count === 0, {
    describe: () => `nobody watches, not ${replica.watchers.count}`,
  });
});

it('more pipelined streams than Node warns of cost no warning (I7)', async () => {
  const process = await cleanUp.use(ReplicaProcess.start(), (it) => it.kill());
  const raw = (await RawConnection.open(process.port)).send(watch.repeat(12));
  cleanUp.add(() => raw.close());
  await raw.until(() => raw.received.includes('event: rows'));
  const watchers = async (): Promise<string | undefined> =>
    /^metacenter_watchers (.*)$/m.exec((await call(process.port, 'GET', '/metrics')).text)?.[1];
  await until(async () => (await watchers()) === '12', { describe: 'all twelve watch' });
  expect(process.stderr).toBe('');
});

it('streams one after the other on one connection leave nothing behind (I7)', async () => {
  const raw = await RawConnection.open(replica.port);
  cleanUp.add(() => raw.close());
  const listeners = async (): Promise<number[]> => {
    raw.send(get('/v1/replica/snapshot'));
    await raw.until(() => raw.received.endsWith('0\r\n\r\n'));
    raw.received = '';
    return Array.from(replica.sockets, (socket) => socket.listenerCount('close'));
  };
  const before = await listeners();
  for (let i = 0; i < 15; i++) await listeners();
  expect(await listeners()).toEqual(before);
});

it('pipelined snapshots lose their places in time, though their connection stays (I7)', async () => {
  const status = async (): Promise<number> =>
    (await call(replica.port, 'GET', '/v1/replica/snapshot')).status;
  const raw = (await RawConnection.open(replica.port)).send(watch + get('/v1/replica/snapshot').repeat(4));
  cleanUp.add(() => raw.close());
  await until(async () => (await status()) === 503, { describe: 'all places are taken' });
  await until(async () => (await status()) === 200, { describe: 'there is a place again' });
});

it('a stream ends when its reader sends no more (I7)', async () => {
  const raw = (await RawConnection.open(replica.port)).send(watch.repeat(2));
  await until(() => replica.watchers.count === 2, { describe: 'both watch' });
  raw.socket.end();
  await until(() => replica.watchers.count === 0, { describe: 'nobody watches' });
  await raw.untilClosed();
});

it.each(['', 'Accept-Encoding: gzip\r\n'])(
  'pipelined snapshots give their places back with their connection (I7) %j',
  async (header) => {
    await post(replica.port, { cluster: 'c', request_id: 'r', ip: '10.0.0.1' });
    const snapshot = get('/v1/replica/snapshot').replace('\r\n\r\n', `\r\n${header}\r\n`);
    const raw = (await RawConnection.open(replica.port)).send(watch + snapshot.repeat(5));
    await raw.until(() => raw.received.includes('event: rows'));
    await until(async () => (await call(replica.port, 'GET', '/v1/replica/snapshot')).status === 503, {
      describe: 'all places are taken',
    });
    raw.close();
    await until(async () => (await call(replica.port, 'GET', '/v1/replica/snapshot')).status === 200, {
      describe: 'there is a place again',
    });
  },
);
