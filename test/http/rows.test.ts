/** `GET /v1/load/rows`: the rows of several clusters, all as they are at one moment. */
import { callJson, type JsonAnswer, post, rows } from './client';
import { type Replica, startReplica, stopReplicas } from './replica';

let replica: Replica;

beforeAll(async () => {
  replica = await startReplica();
});

afterAll(stopReplicas);

const get = (...clusters: string[]): Promise<JsonAnswer> => {
  const query = clusters.map((cluster) => `cluster=${encodeURIComponent(cluster)}`).join('&');
  return callJson(replica.port, 'GET', `/v1/load/rows?${query}`);
};

describe('GET /v1/load/rows', () => {
  it('answers each cluster once, in the order asked for, with the rows that it has alone (I2)', async () => {
    await post(replica.port, { cluster: 'a', request_id: 'a1', ip: '10.0.0.2', prompt_length: 5 });
    await post(replica.port, { cluster: 'a', request_id: 'a2', ip: '10.0.0.1', prompt_length: 7 });
    await post(replica.port, { cluster: '"b" & b', request_id: 'b1', ip: '10.0.0.1' });
    expect((await get('"b" & b', 'nobody', 'a', 'nobody')).envelope.data).toEqual([
      { cluster: '"b" & b', rows: await rows(replica.port, '"b" & b') },
      { cluster: 'nobody', rows: [] },
      { cluster: 'a', rows: await rows(replica.port, 'a') },
    ]);
    expect((await get('a')).envelope.data).toEqual([{ cluster: 'a', rows: await rows(replica.port, 'a') }]);
  });

  it('shows one moment: what is counted under several clusters in one batch is seen in all of them or in none', async () => {
    const clusters = Array.from({ length: 64 }, (_, i) => `moment-${i}`);
    const answers: Promise<JsonAnswer>[] = [];
    for (let i = 0; i < 20; i++) {
      const events = clusters.map((cluster) => ({
        op: 'add',
        cluster,
        request_id: `${cluster} ${i}`,
        ip: '10.0.0.1',
      }));
      answers.push(callJson(replica.port, 'POST', '/v1/load/batch', { body: JSON.stringify({ events }) }));
      answers.push(get(...clusters));
    }
    const seen = (await Promise.all(answers)).filter((_, i) => i % 2 === 1);
    for (const { envelope } of seen) {
      const data = envelope.data as { rows: { queued_req_num: number }[] }[];
      expect(new Set(data.map((each) => each.rows[0]?.queued_req_num ?? 0)).size).toBe(1);
    }
  });

  it.each([
    ['no cluster', [], 'cluster is required and must be given 1 to 64 times'],
    ['65 clusters', Array.from({ length: 65 }, (_, i) => String(i)), 'cluster must be given 1 to 64 times'],
    ['an empty one among them', ['a', ''], 'cluster must be given 1 to 64 times'],
    ['one of 257 characters', ['a', 'x'.repeat(257)], 'cluster must be given 1 to 64 times'],
  ])('refuses %s', async (_what, clusters, reason) => {
    const answer = await get(...clusters);
    expect(answer.code).toBe(40001400);
    expect(answer.reason).toBe(`${reason}, each time a string of 1 to 256 characters`);
  });

  it('refuses what is no percent-encoded UTF-8', async () => {
    const answer = await callJson(replica.port, 'GET', '/v1/load/rows?cluster=a&cluster=%ff');
    expect(answer).toMatchObject({ code: 40001400, reason: 'cluster must be percent-encoded UTF-8' });
  });
});
