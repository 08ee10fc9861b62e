/** `owner` in reports, `/v1/load/owner` and `/v1/load/owners`, over real HTTP. */
import { call, callJson, del, type JsonAnswer, post, put, rows, select } from './client';
import { type Replica, startReplica, stopReplicas } from './replica';
import { until } from '../support/until';

let replica: Replica;
let port: number;

beforeAll(async () => {
  replica = await startReplica();
  port = replica.port;
});

afterAll(stopReplicas);

const owner = (method: 'PUT' | 'DELETE', body: object, at = port): Promise<JsonAnswer> =>
  callJson(at, method, '/v1/load/owner', { body: JSON.stringify(body) });
const owners = async (query = '', at = port): Promise<unknown> =>
  (await callJson(at, 'GET', `/v1/load/owners${query}`)).envelope.data;
const queued = async (cluster: string, at = port): Promise<number> =>
  (await rows(at, cluster)).reduce((sum, row) => sum + row.queued_req_num, 0);

describe('An owner', () => {
  it('renews its lease, holds what it reports, and has nothing that counts once it is gone for good (I5, I13)', async () => {
    const cluster = 'of-gw';
    const startedNs = Date.now() * 1e6;
    expect((await owner('PUT', { owner: 'gw-1' })).envelope).toMatchObject({ status: 'OK', data: null });
    await post(port, { cluster, request_id: 'a', ip: '10.0.0.1', owner: 'gw-1' });
    await select(port, { cluster, request_id: 'b', owner: 'gw-1' });
    await put(port, { cluster, request_id: 'c', ip: '10.0.0.1', owner: 'gw-1' });
    await post(port, { cluster, request_id: 'nobodys', ip: '10.0.0.1', owner: '' });
    expect(await queued(cluster)).toBe(4);
    const [listed] = (await owners()) as { renewed_time: number }[];
    expect(listed).toMatchObject({ owner: 'gw-1', in_flight: 3, alive: true });
    expect(Math.abs(listed!.renewed_time - startedNs)).toBeLessThan(60e9);
    expect(await owners(`?cluster=${cluster}`)).toMatchObject([{ owner: 'gw-1', in_flight: 3 }]);
    expect(await owners('?cluster=another')).toEqual([]);

    expect((await owner('DELETE', { owner: 'gw-1' })).envelope).toMatchObject({ status: 'OK', data: null });
    expect(await queued(cluster)).toBe(1);
    expect(await owners()).toMatchObject([{ owner: 'gw-1', in_flight: 3, alive: false }]);
    await post(port, { cluster, request_id: 'late', ip: '10.0.0.1', owner: 'gw-1' });
    expect(await queued(cluster)).toBe(1);
    for (const request_id of ['a', 'b', 'c', 'late']) expect((await del(port, { request_id })).code).toBe(0);
    expect(await owners()).toEqual([]);
    const { text } = await call(port, 'GET', '/metrics');
    expect(text).toContain('metacenter_requests_released_total 3\n');
    expect(text).toContain('metacenter_owners{state="gone"} 1\n');
  });

  it('that falls silent has nothing that counts when its ttl has passed, until it renews (I13)', async () => {
    const cluster = 'of-silent';
    await owner('PUT', { owner: 'silent', ttl_ms: 3_000 });
    await post(port, { cluster, request_id: 'of-silent', ip: '10.0.0.1', prompt_length: 5, owner: 'silent' });
    await until(async () => (await queued(cluster)) === 0, { describe: 'the silent owner is suspended' });
    expect(await owners(`?cluster=${cluster}`)).toMatchObject([
      { owner: 'silent', alive: false, in_flight: 1 },
    ]);
    await owner('PUT', { owner: 'silent', ttl_ms: 3_000 });
    expect(await rows(port, cluster)).toMatchObject([{ queued_req_num: 1, prompt_length: 5 }]);
  });

  it('takes over a request that another one held, by a refresh (I12)', async () => {
    const cluster = 'taken-over';
    const body = { cluster, request_id: 'taken-over', ip: '10.0.0.1' };
    await post(port, { ...body, owner: 'first' });
    expect((await put(port, { request_id: 'taken-over', owner: 'second' })).code).toBe(0);
    await owner('DELETE', { owner: 'first' });
    // What a gone owner reported up to the retention later counts no more either, but the second one's counts.
    expect(await queued(cluster)).toBe(1);
    await owner('DELETE', { owner: 'second' });
    expect(await queued(cluster)).toBe(0);
  });

  it.each([
    ['PUT', {}, 'owner'],
    ['PUT', { owner: '' }, 'owner'],
    ['PUT', { owner: 'x'.repeat(65) }, 'owner'],
    ['PUT', { owner: 'with space' }, 'owner'],
    ['PUT', { owner: 'gw', ttl_ms: 2_999 }, 'ttl_ms'],
    ['PUT', { owner: 'gw', ttl_ms: 300_001 }, 'ttl_ms'],
    ['PUT', { owner: 'gw', ttl_ms: 3_000.5 }, 'ttl_ms'],
    ['DELETE', { owner: 'ü' }, 'owner'],
  ] as const)('is refused as %s %j, which changes nothing (I8)', async (method, body, field) => {
    const before = await owners();
    const refused = await owner(method, body);
    expect(refused).toMatchObject({ code: 40001400, status: 400 });
    expect(refused.reason).toContain(field);
    expect(await owners()).toEqual(before);
  });

  it('that is not valid refuses the report that names it (I8)', async () => {
    const report = { cluster: 'c', request_id: 'bad-owner', ip: '10.0.0.1', owner: 'a b' };
    for (const send of [post, put, select]) {
      const refused = await send(port, report);
      expect(refused).toMatchObject({ code: 40001400 });
      expect(refused.reason).toContain('owner');
    }
  });

  it('is refused beyond METADATA_CENTER_MAX_OWNERS, while those that are known go on (I7)', async () => {
    const small = await startReplica({ METADATA_CENTER_MAX_OWNERS: '1' });
    expect((await owner('PUT', { owner: 'first' }, small.port)).code).toBe(0);
    const report = { cluster: 'c', request_id: 'r', ip: '10.0.0.1', owner: 'second' };
    const refusals = [
      await owner('PUT', { owner: 'second' }, small.port),
      await owner('DELETE', { owner: 'second' }, small.port),
      await post(small.port, report),
      await put(small.port, report),
      await select(small.port, { ...report, candidates: ['10.0.0.1'] }),
    ];
    for (const refused of refusals) {
      expect(refused).toMatchObject({ code: 50301000, status: 503 });
      expect(refused.reason).toContain('METADATA_CENTER_MAX_OWNERS');
    }
    expect((await owner('PUT', { owner: 'first' }, small.port)).code).toBe(0);
    expect((await post(small.port, { ...report, owner: 'first' })).code).toBe(0);
    expect(await queued('c', small.port)).toBe(1);
  });
});
