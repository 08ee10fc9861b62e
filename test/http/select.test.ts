/** `POST /v1/load/select` over HTTP at one replica: I10, and I11 where `max_queued` is exact. */
import { call, del, delPrompt, type JsonAnswer, post, rows, select as selectAt } from './client';
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
    expect((await select({ cluster: 'nobody', request_id: 'nobody' })).code).toBe(42901000);
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
