/** The second listener of a whole replica process. */
import { get } from 'node:http';
import { CleanUp } from '../support/clean-up';
import { freePort } from '../support/free-port';
import { ReplicaProcess } from '../support/replica-process';
import { until } from '../support/until';

let replica: ReplicaProcess;
let url: string;
const atEnd = new CleanUp();
const cleanUp = new CleanUp();

beforeAll(async () => {
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  const starting = ReplicaProcess.start({ env: { DEBUG_PORT: String(port) } });
  replica = await atEnd.use(starting, (it) => it.kill());
});

afterAll(() => atEnd.run());

afterEach(() => cleanUp.run());

it('gives a CPU profile of as many seconds as asked for', async () => {
  const startedMs = performance.now();
  const response = await fetch(`${url}/debug/cpu-profile?seconds=1`);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-disposition')).toContain('.cpuprofile');
  const profile = (await response.json()) as Record<'nodes' | 'samples', unknown[]>;
  expect(profile.nodes.length).toBeGreaterThan(0);
  expect(profile.samples.length).toBeGreaterThan(0);
  expect(performance.now() - startedMs).toBeGreaterThan(900);
});

it.each(['bad=%ff', '%66f=1&reset=%ff', 'reset=true&reset=true'])(
  'says what is wrong with ?%s',
  async (query) => {
    const response = await fetch(`${url}/debug/event-loop?${query}`);
    expect(response.status).toBe(query.startsWith('bad') ? 200 : 400);
  },
);

it.each(['0', '121', 'abc', '1.5', '-1', ''])('refuses a profile of %j seconds', async (seconds) => {
  const response = await fetch(`${url}/debug/cpu-profile?seconds=${seconds}`);
  expect(response.status).toBe(400);
  expect(await response.text()).toContain('from 1 to 120');
});

it('takes one profile or snapshot at a time, and gives up one that nobody waits for (I7)', async () => {
  const waiting = get(`${url}/debug/cpu-profile?seconds=100`).on('error', () => undefined);
  await until(() => replica.log.some(({ seconds }) => seconds === 100), { describe: 'the profile begins' });
  for (const path of ['/debug/cpu-profile?seconds=1', '/debug/heap-snapshot']) {
    expect((await fetch(`${url}${path}`)).status).toBe(503);
  }
  waiting.destroy();
  await until(async () => (await fetch(`${url}/debug/cpu-profile?seconds=1`)).status === 200, {
    describe: 'the next one is taken',
  });
});

it('stands still for no web page of another origin', async () => {
  const headers = { 'Sec-Fetch-Site': 'cross-site' };
  for (const path of ['/debug/heap-snapshot', '/debug/cpu-profile', '/debug/event-loop?reset=true'])
    expect((await fetch(`${url}${path}`, { headers })).status).toBe(403);
  expect(
    (await fetch(`${url}/debug/event-loop`, { headers: { Origin: 'https://example.com' } })).status,
  ).toBe(403);
});

it('gives a heap snapshot, and the replica serves on', async () => {
  const response = await fetch(`${url}/debug/heap-snapshot`);
  expect(response.status).toBe(200);
  const snapshot = (await response.json()) as { snapshot: { node_count: number } };
  expect(snapshot.snapshot.node_count).toBeGreaterThan(1_000);
  await replica.healthy();
});

it('gives the delay of the event loop, and starts over when asked to', async () => {
  const delays = async (query = ''): Promise<{ count: number; unit: string }> =>
    (await (await fetch(`${url}/debug/event-loop${query}`)).json()) as { count: number; unit: string };
  // A second's worth: so many can not come again from one request to the next.
  await until(async () => (await delays()).count > 100, { describe: 'the delay was measured' });
  const { count: before } = await delays('?reset=true');
  const { count, unit } = await delays();
  expect(count).toBeLessThan(before);
  expect(unit).toBe('ms');
});

it.each(['/', '/debug', '/debug/', '/v1/load/stats?cluster=c', '/metrics', '/__proto__', '/constructor'])(
  'answers 404 to %s',
  async (path) => {
    const response = await fetch(`${url}${path}`);
    expect(response.status).toBe(404);
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  },
);

it('only answers GET', async () => {
  expect((await fetch(`${url}/debug/event-loop`, { method: 'POST', body: 'x' })).status).toBe(405);
});

it('wants a token where the API does, and does not keep the replica from stopping', async () => {
  const port = await freePort();
  const env = { DEBUG_PORT: String(port), METADATA_CENTER_AUTH_TOKENS: 'debug-token' };
  const guarded = await cleanUp.use(ReplicaProcess.start({ env }), (it) => it.kill());
  const address = `http://127.0.0.1:${port}/debug/cpu-profile?seconds=60`;
  const refused = await fetch(address);
  expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
  get(address, { headers: { Authorization: 'Bearer debug-token' } }).on('error', () => undefined);
  await until(() => guarded.log.some(({ seconds }) => seconds === 60), { describe: 'the profile begins' });
  const startedMs = performance.now();
  expect(await guarded.stop()).toEqual({ code: 0, signal: null });
  expect(performance.now() - startedMs).toBeLessThan(3_000);
});

it('says when its port is taken', async () => {
  const starting = ReplicaProcess.launch({ env: { DEBUG_PORT: new URL(url).port } });
  const taken = await cleanUp.use(starting, (it) => it.kill());
  expect(await taken.exited()).toEqual({ code: 1, signal: null });
  expect(taken.logged('could not start')).toMatchObject({ err: { code: 'EADDRINUSE' } });
});
