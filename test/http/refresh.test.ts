/** `PUT /v1/load/stats` over real HTTP: the answers, and what gateways may leave empty. */
import { call, del, delPrompt, post, put, rows } from './client';
import { oneReplica, type Replica, startReplica } from './replica';

let replica: Replica;
let port: number;

oneReplica((it) => ({ port } = replica = it));

const add = { cluster: 'refreshed', ip: '10.0.0.1', prompt_length: 7 };

describe('PUT /v1/load/stats', () => {
  it('answers 200 null for a request in flight, makes no event while that is young, and is counted (I12)', async () => {
    await post(port, { ...add, request_id: 'young' });
    const before = replica.replicator.highestSeq;
    const answer = await put(port, { request_id: 'young', cluster: '', ip: '', prompt_length: 9 });
    expect(answer.envelope).toMatchObject({ status: 'OK', data: null });
    expect(replica.replicator.highestSeq).toBe(before);
    expect(await rows(port, 'refreshed')).toMatchObject([{ queued_req_num: 1, prompt_length: 7 }]);
    expect((await call(port, 'GET', '/metrics')).text).toContain('metacenter_requests_refreshed_total 1\n');
    await del(port, { request_id: 'young' });
  });

  it('answers 40001404 for a request that was deleted (I3)', async () => {
    await post(port, { ...add, request_id: 'gone' });
    await del(port, { request_id: 'gone' });
    expect(await put(port, { ...add, request_id: 'gone' })).toMatchObject({ code: 40001404, status: 404 });
    expect(await rows(port, 'refreshed')).toMatchObject([{ queued_req_num: 0 }]);
  });

  it.each([
    {},
    { cluster: 'refreshed' },
    { cluster: 'refreshed', ip: '' },
    { cluster: '', ip: '10.0.0.1' },
    { ip: null },
  ])('answers 40401001 for an unknown request that does not say where it runs: %j', async (where) => {
    const refused = await put(port, { request_id: 'unknown', ...where });
    expect(refused).toMatchObject({ code: 40401001, status: 404 });
    expect(refused.reason).toContain('cluster and ip');
  });

  it('takes an unknown request up that says where it runs, to be ended like any other (I2)', async () => {
    const body = { cluster: 'taken-up', ip: '10.0.0.2', prompt_length: 5, request_id: 'taken-up' };
    expect((await put(port, body)).code).toBe(0);
    expect(await rows(port, 'taken-up')).toMatchObject([
      { ip: '10.0.0.2', queued_req_num: 1, prompt_length: 5 },
    ]);
    expect((await delPrompt(port, { request_id: 'taken-up' })).code).toBe(0);
    expect((await del(port, { request_id: 'taken-up' })).code).toBe(0);
    expect(await rows(port, 'taken-up')).toMatchObject([{ queued_req_num: 0, prompt_length: 0 }]);
  });

  it('names all bad fields, in the order in which they are documented (I8)', async () => {
    const bad = { owner: 'a b', timestamp: 'now', prompt_length: -1, ip: 'host', cluster: 5, request_id: 7 };
    const { reason } = await put(port, bad);
    expect(reason.split('; ').map((it) => it.split(' ')[0])).toEqual(Object.keys(bad).reverse());
  });

  it.each([
    [{}, 'request_id'],
    [{ request_id: '' }, 'request_id'],
    [{ request_id: 'r', ip: 'host' }, 'ip'],
    [{ request_id: 'r', cluster: 5 }, 'cluster'],
    [{ request_id: 'r', prompt_length: -1 }, 'prompt_length'],
    [{ request_id: 'r', timestamp: 'now' }, 'timestamp'],
  ])('answers 40001400 to %j, and changes nothing (I8)', async (body, field) => {
    const before = replica.replicator.highestSeq;
    const refused = await put(port, body);
    expect(refused).toMatchObject({ code: 40001400, status: 400 });
    expect(refused.reason).toContain(field);
    expect(replica.replicator.highestSeq).toBe(before);
  });

  it('answers 200 for a deleted request where copies are accepted', async () => {
    const accepting = await startReplica({ METADATA_CENTER_REPLAY_POLICY: 'accept' });
    await post(accepting.port, { ...add, request_id: 'gone' });
    await del(accepting.port, { request_id: 'gone' });
    expect((await put(accepting.port, { ...add, request_id: 'gone' })).code).toBe(0);
    expect(await rows(accepting.port, 'refreshed')).toMatchObject([{ queued_req_num: 0 }]);
  });
});
