/** `POST /v1/load/select` over HTTP at one replica: I10, and I11 where `max_queued` is exact. */
import { call, callJson, del, delPrompt, type JsonAnswer, post, rows, select as selectAt } from './client';
import { type Replica, startReplica, stopReplicas } from './replica';
import { startServer } from './server-fixture';

let replica: Replica;
let port: number;

beforeAll(async () => {
  replica = await startReplica();
  port = replica.port;
});

afterAll(stopReplicas);

interface Selected {
  readonly ip: string;
  readonly queued_req_num: number;
  readonly prompt_length: number;
  readonly prefill_req_num: number;
  readonly considered: number;
  readonly booked: boolean;
  readonly repeated: boolean;
  readonly degraded: boolean;
}

const select = (body: object | string, at = port): Promise<JsonAnswer> => selectAt(at, body);
const selected = async (body: object): Promise<Selected> => {
  const answer = await select(body);
  expect(answer.reason).toBe('');
  return answer.envelope.data as Selected;
};
const engines = (count: number): string[] => Array.from({ length: count }, (_, i) => `10.0.0.${i + 1}`);

describe('a select', () => {
  it('books exactly one add of the engine it answers (I10)', async () => {
    const body = { cluster: 'one', request_id: 'one-1', prompt_length: 512, candidates: ['10.0.0.7'] };
    expect(await selected(body)).toEqual({
      ip: '10.0.0.7',
      queued_req_num: 1,
      prompt_length: 512,
      prefill_req_num: 1,
      considered: 1,
      booked: true,
      repeated: false,
      degraded: false,
    });
    expect(await rows(port, 'one')).toMatchObject([
      { ip: '10.0.0.7', queued_req_num: 1, prompt_length: 512, prefill_req_num: 1 },
    ]);
    await delPrompt(port, { request_id: 'one-1' });
    expect(await rows(port, 'one')).toMatchObject([
      { queued_req_num: 1, prompt_length: 0, prefill_req_num: 0 },
    ]);
    await del(port, { request_id: 'one-1' });
    expect(await rows(port, 'one')).toMatchObject([
      { queued_req_num: 0, prompt_length: 0, prefill_req_num: 0 },
    ]);
  });

  it('takes the least cost, and a credit off it', async () => {
    await post(port, { cluster: 'cost', request_id: 'cost-1', ip: '10.0.0.1', prompt_length: 1_000 });
    for (let i = 2; i < 7; i++)
      await post(port, { cluster: 'cost', request_id: `cost-${i}`, ip: '10.0.0.2' });
    const asked = { cluster: 'cost', request_id: 'cost-0', book: false };
    expect((await selected(asked)).ip).toBe('10.0.0.2');
    expect((await selected({ ...asked, request_cost: 1_000 })).ip).toBe('10.0.0.1');
    const candidates = [{ ip: '10.0.0.1', credit: 500 }, '10.0.0.2'];
    expect((await selected({ ...asked, candidates })).ip).toBe('10.0.0.1');
    expect((await selected({ ...asked, candidates: [...candidates, '10.0.0.3'] })).ip).toBe('10.0.0.3');
    expect(await rows(port, 'cost')).toMatchObject([{ queued_req_num: 1 }, { queued_req_num: 5 }]);
  });

  it('spreads 1,000 in a row over 8 engines within 1 of each other (I10)', async () => {
    for (let i = 0; i < 1_000; i++)
      await selected({ cluster: 'even', request_id: `even-${i}`, candidates: engines(8) });
    const counts = (await rows(port, 'even')).map((row) => row.queued_req_num);
    expect(counts).toHaveLength(8);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    for (let i = 0; i < 1_000; i++) await del(port, { request_id: `even-${i}` });
    for (const row of await rows(port, 'even'))
      expect(row).toMatchObject({ queued_req_num: 0, prompt_length: 0 });
  });

  it('keeps max_queued exactly, also when they come together (I11)', async () => {
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        select({ cluster: 'full', request_id: `full-${i}`, candidates: engines(4), max_queued: 5 }),
      ),
    );
    expect(answers.filter(({ code }) => code === 0)).toHaveLength(20);
    const refused = answers.filter(({ code }) => code === 42901000);
    expect(refused).toHaveLength(20);
    expect(refused[0]).toMatchObject({ status: 429, headers: { 'retry-after': '1' } });
    expect(refused[0]!.envelope.error).toMatchObject({ message: 'No engine available' });
    expect((await rows(port, 'full')).map((row) => row.queued_req_num)).toEqual([5, 5, 5, 5]);
    const metrics = (await call(port, 'GET', '/metrics')).text;
    expect(metrics).toMatch(/metacenter_selects_total\{result="no-engine"\} 20/);
    expect(metrics).toMatch(/metacenter_select_engines_considered_total [1-9]/);
    expect(metrics).toContain('metacenter_select_over_limit_total 0');
  });

  it('has no room where as many tokens wait as max_prompt_length says', async () => {
    await post(port, { cluster: 'long', request_id: 'long-1', ip: '10.0.0.1', prompt_length: 100 });
    const asked = { cluster: 'long', request_id: 'long-2', book: false };
    expect((await select({ ...asked, max_prompt_length: 100 })).code).toBe(42901000);
    expect((await select({ ...asked, max_prompt_length: 101 })).code).toBe(0);
  });

  it('gives a resend the engine on record, and refuses another report of the id', async () => {
    const body = (timestamp: string): string =>
      `{"cluster":"again","request_id":"again","candidates":["10.0.0.1","10.0.0.2","10.0.0.3"],"timestamp":${timestamp}}`;
    const first = (await select(body('1758350000000000001'))).envelope.data as Selected;
    const second = (await select(body('1758350000000000001'))).envelope.data as Selected;
    expect(second).toMatchObject({ ip: first.ip, queued_req_num: 1, booked: true, repeated: true });
    expect((await select(body('1758350000000000002'))).code).toBe(40001000);
    expect((await select(body('1758350000000000001').replace('"again"', '"other"'))).code).toBe(40001000);
    await del(port, { request_id: 'again' });
    expect((await select(body('1758350000000000001'))).code).toBe(40001000);
    expect((await rows(port, 'again')).map((row) => row.queued_req_num)).toEqual([0]);
  });

  it('whose answer was lost is undone by a delete, though that comes first (I10)', async () => {
    expect((await del(port, { request_id: 'lost-1' })).code).toBe(0);
    await selected({ cluster: 'lost', request_id: 'lost-1', candidates: ['10.0.0.1'] });
    expect(await rows(port, 'lost')).toMatchObject([{ queued_req_num: 0 }]);
  });

  it('takes one that is named twice for one, and an empty cluster for no engine', async () => {
    const candidates = ['10.0.0.1', { ip: '10.0.0.1', credit: 3 }];
    expect(await selected({ cluster: 'twice', request_id: 'twice', candidates })).toMatchObject({
      considered: 1,
    });
    for (const none of [{}, { candidates: null }]) {
      const answer = await select({ cluster: 'nobody', request_id: 'nobody', ...none });
      expect(answer).toMatchObject({ code: 42901000, headers: { 'retry-after': '1' } });
      expect(answer.reason).toContain('no rows');
    }
    expect(await rows(port, 'nobody')).toEqual([]);
    expect((await call(port, 'GET', '/v1/clusters')).text).not.toContain('nobody');
  });

  it('that only asks leaves the id free, and asked again after the booking gets the engine on record', async () => {
    const body = { cluster: 'ask', request_id: 'ask', candidates: engines(8), timestamp: 1 };
    const asked = await selected({ ...body, book: false });
    expect(asked).toMatchObject({ booked: false, repeated: false, queued_req_num: 0 });
    expect(await rows(port, 'ask')).toEqual([]);
    // The choice is a function of the id and the rows.
    const booked = await selected(body);
    expect(booked).toMatchObject({ ip: asked.ip, booked: true, repeated: false, queued_req_num: 1 });
    for (const again of [{ book: false }, { max_queued: 0 }, { candidates: ['10.0.9.9'] }]) {
      expect(await selected({ ...body, ...again })).toMatchObject({
        ip: asked.ip,
        booked: true,
        repeated: true,
        queued_req_num: 1,
      });
    }
  });

  it('takes what an engine has cached of the prompt off its cost, beside its own credit', async () => {
    const saved = { cluster: 'cache', prompt_hash: [1, 2, 3] };
    const save = (body: object): Promise<JsonAnswer> =>
      callJson(port, 'POST', '/v1/cache/save', { body: JSON.stringify({ ...saved, ...body }) });
    expect((await save({ ip: '10.0.0.2' })).code).toBe(0);
    expect((await save({ ip: '10.0.0.3', prompt_hash: [1] })).code).toBe(0);
    // Costs 500 and 128 for the request.
    await post(port, { cluster: 'cache', request_id: 'cache-1', ip: '10.0.0.2', prompt_length: 500 });
    const asked = { ...saved, request_id: 'cache-2', book: false, candidates: engines(3) };
    // 3 chunks of 128 are less than 628, and 1 chunk is more than none.
    expect((await selected(asked)).ip).toBe('10.0.0.3');
    expect((await selected({ ...asked, chunk_tokens: 400 })).ip).toBe('10.0.0.2');
    const credited = [{ ip: '10.0.0.1', credit: 129 }, '10.0.0.2', '10.0.0.3'];
    expect((await selected({ ...asked, candidates: credited })).ip).toBe('10.0.0.1');
    credited[2] = { ip: '10.0.0.3', credit: 2 };
    expect((await selected({ ...asked, candidates: credited })).ip).toBe('10.0.0.3');
    // Among the rows there is only the one that has the request.
    expect(await selected({ ...asked, candidates: undefined })).toMatchObject({
      ip: '10.0.0.2',
      considered: 1,
    });
    for (const cluster of ['cache', 'cache-elsewhere']) {
      const ips = new Set<string>();
      for (let i = 0; i < 16; i++)
        ips.add((await selected({ ...asked, cluster, request_id: `cache-3-${i}`, chunk_tokens: 0 })).ip);
      // No credit, no preference among equals.
      expect(ips.size).toBe(cluster === 'cache' ? 2 : 3);
    }
  });

  it('is refused before the replica has caught up, and tells when it is degraded', async () => {
    let caughtUp = false;
    const server = await startServer({ caughtUp: () => caughtUp });
    const body = { cluster: 'c', request_id: 'r', candidates: ['10.0.0.1'] };
    expect(await select(body, server.port)).toMatchObject({ status: 503, code: 50301000 });
    expect(await rows(server.port, 'c')).toEqual([]);
    caughtUp = true;
    expect((await select(body, server.port)).envelope.data).toMatchObject({ booked: true, degraded: true });
  });
});

describe('a select at a replica with limits that accepts copies and has no cache', () => {
  let limited: number;
  beforeAll(async () => {
    const env = {
      METADATA_CENTER_REPLAY_POLICY: 'accept',
      METADATA_CENTER_CACHE: 'off',
      METADATA_CENTER_MAX_IN_FLIGHT: '2',
      METADATA_CENTER_MAX_ENGINES: '2',
    };
    limited = (await startReplica(env)).port;
  });

  it('answers copies while the request is in flight, ignores hashes, and books nothing at a limit (I7, I10)', async () => {
    const one = { cluster: 'c', request_id: '1', candidates: ['10.0.0.1'], prompt_hash: [1, 2] };
    expect(await select(one, limited)).toMatchObject({ code: 0 });
    const copy = await select({ ...one, candidates: ['10.0.0.2'], timestamp: 5 }, limited);
    expect(copy.envelope.data).toMatchObject({ ip: '10.0.0.1', queued_req_num: 1, repeated: true });
    expect((await select({ ...one, cluster: 'other' }, limited)).code).toBe(40001000);
    await del(limited, { request_id: '1' });
    // There is no engine to name any more.
    expect((await select(one, limited)).code).toBe(40001000);

    expect((await select({ ...one, request_id: '2', candidates: ['10.0.0.2'] }, limited)).code).toBe(0);
    const new3 = { ...one, request_id: '3', candidates: ['10.0.0.3'] };
    expect(await select(new3, limited)).toMatchObject({ status: 503, code: 50301000 });
    expect((await select({ ...one, request_id: '3' }, limited)).code).toBe(0);
    const full = { ...one, request_id: '4' };
    expect(await select(full, limited)).toMatchObject({ status: 503, code: 50301000 });
    expect((await select({ ...full, book: false }, limited)).code).toBe(0);
    expect((await rows(limited, 'c')).map((row) => row.queued_req_num)).toEqual([1, 1]);
  });
});

describe('a select that is not valid changes nothing and says why (I8, I10)', () => {
  const valid = { cluster: 'bad', request_id: 'bad', candidates: ['10.0.0.1'] };
  it.each([
    ['candidates', { candidates: [] }],
    ['candidates', { candidates: engines(257) }],
    ['candidates', { candidates: '10.0.0.1' }],
    ['candidates[1]', { candidates: ['10.0.0.1', 'host'] }],
    ['candidates[0]', { candidates: [null] }],
    ['candidates[0].ip', { candidates: [{ credit: 1 }] }],
    ['candidates[0].credit', { candidates: [{ ip: '10.0.0.1', credit: 2 ** 31 }] }],
    ['candidates[0].credit', { candidates: [{ ip: '10.0.0.1', credit: -(2 ** 31) - 1 }] }],
    ['candidates[0].credit', { candidates: [{ ip: '10.0.0.1', credit: 0.5 }] }],
    ['candidates[0].ip', { candidates: [{ ip: '10.0.0.01' }] }],
    ['candidates[0]', { candidates: [['10.0.0.1']] }],
    ['candidates[1]', { candidates: ['10.0.0.1', 167772161] }],
    ['request_cost', { request_cost: 2 ** 31 }],
    ['max_queued', { max_queued: 2 ** 31 }],
    ['request_cost', { request_cost: -1 }],
    ['max_queued', { max_queued: 1.5 }],
    ['max_prompt_length', { max_prompt_length: '5' }],
    ['prompt_hash', { prompt_hash: [-1] }],
    ['prompt_hash', { prompt_hash: ['1'] }],
    ['chunk_tokens', { chunk_tokens: -1 }],
    ['book', { book: 'yes' }],
    ['request_id', { request_id: '' }],
    ['cluster', { cluster: 1 }],
  ])('%s: %j', async (field, fields) => {
    const answer = await select({ ...valid, ...fields });
    expect(answer.code).toBe(40001400);
    expect(answer.reason).toContain(field);
    expect(await rows(port, 'bad')).toEqual([]);
  });

  it('and the largest of everything is valid', async () => {
    const candidates = engines(200).map((ip) => ({ ip, credit: -(2 ** 31) }));
    const hashes = Array.from({ length: 1_000 }, () => '18446744073709551615').join();
    const text = JSON.stringify({
      cluster: 'most',
      request_id: 'most',
      candidates,
      request_cost: 2147483647,
    });
    expect((await select(`${text.slice(0, -1)},"prompt_hash":[${hashes}]}`)).reason).toBe('');
    expect((await select({ cluster: 'nulls', request_id: 'nulls', candidates: null, book: null })).code).toBe(
      42901000,
    );
  });
});
