/** Headers that keep browsers from taking an answer for what it is not. */
import { call, RawConnection } from '../http/client';
import { type Replica, startReplica, stopReplicas } from '../http/replica';

let replica: Replica;

beforeAll(async () => {
  replica = await startReplica();
});

afterAll(stopReplicas);

it.each([
  '/healthz',
  '/readyz',
  '/metrics',
  '/v1/load/stats?cluster=c',
  '/v1/load/stats',
  '/nowhere',
  '/v1/replica/status',
  '/v1/replica/snapshot',
  '/openapi.json',
  '/docs',
  '/',
])('no browser guesses the type of %s', async (path) => {
  const { headers } = await call(replica.port, 'GET', path);
  expect(headers['x-content-type-options']).toBe('nosniff');
  expect(headers['x-powered-by']).toBeUndefined();
});

it('no browser guesses the type of an answer to what was no request', async () => {
  const raw = (await RawConnection.open(replica.port)).send('rubbish\r\n\r\n');
  expect((await raw.answer()).headers['x-content-type-options']).toBe('nosniff');
});

it('pages run and load nothing but their own, and are framed by nobody', async () => {
  for (const path of ['/', '/docs']) {
    const { headers } = await call(replica.port, 'GET', path);
    expect(headers['content-security-policy']).toMatch(/^default-src 'none'.*frame-ancestors 'none'/);
    expect(headers['content-security-policy']).not.toContain('unsafe');
  }
  expect((await call(replica.port, 'GET', '/healthz')).headers['content-security-policy']).toBeUndefined();
});
