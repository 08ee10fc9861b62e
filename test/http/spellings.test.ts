/** How a path may be spelled; the API reference lists the same. */
import { call, post, RawConnection } from './client';
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

it('a route is the same to callers and to metrics, whether it was found at once or by express', async () => {
  const raw = await RawConnection.open(replica.port);
  const ask = async (method: string, target: string, body: string): Promise<unknown> => {
    raw.send(
      `${method} ${target} HTTP/1.1\r\nHost: replica\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    const { status, envelope } = await raw.answer();
    return { method, status, error: envelope.error, data: envelope.data };
  };
  for (const [method, path, body] of [
    ['GET', '/v1/load/rows', ''],
    ['GET', '/v1/clusters', ''],
    ['POST', '/v1/load/stats', '{"cluster":1}'],
    ['PUT', '/v1/load/stats', '{"request_id":"nowhere"}'],
    ['DELETE', '/v1/load/stats', ''],
    ['DELETE', '/v1/load/prompt', 'x'],
    ['PATCH', '/v1/load/prompt', ''],
    ['POST', '/v1/load/batch', '{"events":[]}'],
    ['POST', '/v1/load/select', '{}'],
  ] as const) {
    expect(await ask(method, `${path}/`, body)).toEqual(await ask(method, path, body));
  }
  raw.close();
  const { text } = await call(replica.port, 'GET', '/metrics');
  expect(text).toContain('{url="/v1/load/batch",method="POST",status_code="400"} 2\n');
});
