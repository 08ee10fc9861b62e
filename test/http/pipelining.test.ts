/** Requests that come in one packet: their answers wait behind each other, and some never get their turn. */
import { until } from '../support/until';
import { call, post, RawConnection } from './client';
import { type Replica, startReplica, stopReplicas } from './replica';

let replica: Replica;

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
