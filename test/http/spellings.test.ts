/** How a path may be spelled; the API reference lists the same. */
import { post, RawConnection } from './client';
import { type Replica, startReplica, stopReplicas } from './replica';

let replica: Replica;
beforeAll(async () => {
  replica = await startReplica();
  await post(replica.port, { cluster: 'c', request_id: 'r', ip: '10.0.0.1' });
});
afterAll(stopReplicas);

async function statusOf(target: string): Promise<number> {
  const raw = await RawConnection.open(replica.port);
  raw.send(`GET ${target} HTTP/1.1\r\nHost: replica\r\n\r\n`);
  const { status } = await raw.answer();
  raw.close();
  return status;
}

it.each([
  '/v1/load/stats?cluster=c',
  '/v1/load/stats/?cluster=c',
  '/v1/load/stats?x&cluster=c&y=1',
  '/v1/load/stats?%63luster=c',
  'http://replica/v1/load/stats?cluster=c',
])('%s is the route', async (target) => {
  expect(await statusOf(target)).toBe(200);
});

it.each([
  '/v1/load/stats//?cluster=c',
  '//v1/load/stats?cluster=c',
  '/v1//load/stats?cluster=c',
  '/V1/load/stats?cluster=c',
  '/v1/load/Stats?cluster=c',
  '/v1/load/%73tats?cluster=c',
  '/v1/load/./stats?cluster=c',
  '/v1/x/../load/stats?cluster=c',
  '/v1/load/stats;x?cluster=c',
])('%s is not', async (target) => {
  expect(await statusOf(target)).toBe(404);
});
