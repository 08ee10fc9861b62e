import { call, callJson, del, post } from './client';
import { startReplica, stopReplicas } from './replica';

let port: number;

beforeEach(async () => {
  ({ port } = await startReplica());
});

afterEach(stopReplicas);

const clusters = async (): Promise<unknown> => (await callJson(port, 'GET', '/v1/clusters')).envelope.data;

describe('GET /v1/clusters', () => {
  it('has nothing to list before the first report', async () => {
    expect(await clusters()).toEqual([]);
  });

  it('sums the rows of each cluster, in the order of their names (I2)', async () => {
    for (const [id, cluster, ip, prompt_length] of [
      ['1', 'b', '10.0.0.2', 10],
      ['2', 'b', '10.0.0.1', 5],
      ['3', 'b', '10.0.0.1', 1],
      ['4', 'a "quoted"', '10.0.0.1', 7],
    ]) {
      await post(port, { request_id: id, cluster, ip, prompt_length });
    }
    await del(port, { request_id: '1' });
    const updated_time = expect.any(Number) as unknown;
    expect(await clusters()).toEqual([
      {
        cluster: 'a "quoted"',
        engines: 1,
        queued_req_num: 1,
        prompt_length: 7,
        prefill_req_num: 1,
        updated_time,
      },
      { cluster: 'b', engines: 2, queued_req_num: 2, prompt_length: 6, prefill_req_num: 2, updated_time },
    ]);
  });

  it('writes the time of the last event in all its digits, and caps sums at 32 bits', async () => {
    for (const request_id of ['1', '2']) {
      await post(port, { request_id, cluster: 'c', ip: '10.0.0.1', prompt_length: 2147483647 });
    }
    const { text } = await call(port, 'GET', '/v1/clusters');
    expect(text).toContain('"queued_req_num":2,"prompt_length":2147483647');
    expect(text).toMatch(/"updated_time":\d{16}000}/);
  });
});
