/**
 * What is known to go wrong in comparable systems, each by the number under which it was reported there, tried from outside: two
 * replicas as processes, HTTP, and the bus. (Dynamo #14758, a free that is dropped, is in `liveness.test.ts`, where nothing expires.)
 */
import { setTimeout as delay } from 'node:timers/promises';
import { connect } from 'nats';
import { Fleet } from '../convergence/fleet';
import { CleanUp } from '../support/clean-up';
import { until } from '../support/until';

const EXPIRE_MS = 1_000;
const RETENTION_MS = 500;

let fleet: Fleet;
const cleanUp = new CleanUp();

beforeAll(async () => {
  const env = {
    METADATA_CENTER_LOAD_REQ_EXPIRE: `${EXPIRE_MS}ms`,
    METADATA_CENTER_FINISHED_RETENTION: `${RETENTION_MS}ms`,
    METADATA_CENTER_LOAD_GC_INTERVAL: '50ms',
  };
  fleet = await cleanUp.use(Fleet.start({ size: 2, env }), (it) => it.stop());
});

afterAll(() => cleanUp.run());

async function call(
  replica: number,
  method: string,
  path: string,
  body?: object,
): Promise<{ code: number; data: unknown }> {
  const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
  const response = await fetch(`${fleet.urls[replica]!}${path}`, init);
  const { error, data } = (await response.json()) as { error: { code: number } | null; data: unknown };
  return { code: error?.code ?? 0, data };
}

const report = (method: string, id: string, replica = 0): Promise<{ code: number }> =>
  call(replica, method, '/v1/load/stats', { cluster: id, request_id: id, ip: '10.0.0.1', prompt_length: 7 });

/** Queued and prompt of the engine at each replica; nothing where its row is not listed. */
async function rows(cluster: string): Promise<string> {
  const seen = await Promise.all(
    fleet.urls.map(async (_url, i) => {
      type Row = { queued_req_num: number; prompt_length: number };
      const { data } = await call(i, 'GET', `/v1/load/stats?cluster=${cluster}`);
      return (data as Row[]).map((row) => `${row.queued_req_num}/${row.prompt_length}`).join();
    }),
  );
  return seen.join(' ');
}

const become = (cluster: string, expected: string): Promise<unknown> =>
  until(async () => (await rows(cluster)) === expected, { describe: `${cluster} is ${expected}` });

test('llm-d-router #2295: a request that runs for several expiry times is not reaped while it is refreshed (I12)', async () => {
  await report('POST', 'long');
  await become('long', '1/7 1/7');
  const endMs = Date.now() + 3 * EXPIRE_MS;
  for (let i = 0; Date.now() < endMs; i++) {
    expect((await report('PUT', 'long', i % 2)).code).toBe(0);
    expect(await rows('long')).toBe('1/7 1/7');
    await delay(EXPIRE_MS / 20);
  }
  await report('DELETE', 'long');
  await become('long', '0/0 0/0');
});

test('llm-d-router #1950: an engine that leaves the rows and comes back never shows less than nothing (I2)', async () => {
  await report('POST', 'flap');
  await report('DELETE', 'flap');
  await become('flap', ' ');
  for (const replica of [0, 1]) await report('DELETE', 'flap', replica);
  await call(0, 'POST', '/v1/load/stats', { cluster: 'flap', request_id: 'flap-2', ip: '10.0.0.1' });
  await become('flap', '1/0 1/0');
  await call(1, 'DELETE', '/v1/load/stats', { request_id: 'flap-2' });
  await become('flap', '0/0 0/0');
});

test('vllm router #215: requests whose deletes are lost with their gateway do not leak (I13)', async () => {
  const body = { cluster: 'leak', ip: '10.0.0.1', prompt_length: 7, owner: 'gw-leak' };
  for (const request_id of ['leak-1', 'leak-2'])
    await call(0, 'POST', '/v1/load/stats', { ...body, request_id });
  await call(1, 'DELETE', '/v1/load/owner', { owner: 'gw-leak' });
  await become('leak', '0/0 0/0');
});

test('litellm #40401: a request that expires while it runs leaves nothing negative when it ends (I2)', async () => {
  await report('POST', 'mid');
  await become('mid', ' ');
  await report('DELETE', 'mid');
  await call(0, 'POST', '/v1/load/stats', {
    cluster: 'mid',
    request_id: 'mid-2',
    ip: '10.0.0.1',
    prompt_length: 3,
  });
  await become('mid', '1/3 1/3');
});

test('smg #1661: a late copy of a report does not bring a request back when its delete is forgotten (I3)', async () => {
  const client = await connect({ servers: fleet.nats.url });
  const adds: Uint8Array[] = [];
  client.subscribe('metadata-center.load.add', {
    callback: (_error, { data }) => void adds.push(new Uint8Array(data)),
  });
  await client.flush();
  await report('POST', 'back');
  await until(() => adds.length === 1, { describe: 'the add is on the bus' });
  await report('DELETE', 'back');
  // Longer than anything is remembered of it.
  await delay(EXPIRE_MS + 2 * RETENTION_MS + 1_100);
  for (const payload of adds) client.publish('metadata-center.load.add', payload);
  await client.flush();
  await delay(100);
  expect(await rows('back')).toBe(' ');
  await client.close();
});
