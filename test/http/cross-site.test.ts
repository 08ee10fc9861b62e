/** Pages that people have open must not report, delete or change the log level at a replica in their network. */
import { callJson, post, rows } from './client';
import { type Replica, startReplica, stopReplicas } from './replica';

let replica: Replica;
beforeAll(async () => void (replica = await startReplica()));
afterAll(stopReplicas);

const body = JSON.stringify({ cluster: 'c', request_id: 'r', ip: '10.0.0.1' });
const changing = [
  ['POST', '/v1/load/stats', body],
  ['POST', '/v1/load/select', '{"cluster":"c","request_id":"r","candidates":["10.0.0.1"]}'],
  ['PUT', '/v1/load/stats', body],
  ['POST', '/v1/load/batch', `{"events":[{"op":"delete","request_id":"honest"}]}`],
  ['PUT', '/v1/load/owner', '{"owner":"gateway-1"}'],
  ['DELETE', '/v1/load/owner', '{"owner":"gateway-1"}'],
  ['POST', '/v1/cache/save', '{"cluster":"kept","prompt_hash":[1],"ip":"10.0.0.1"}'],
  ['DELETE', '/v1/cache', '{"ip":"10.0.0.1"}'],
  ['DELETE', '/v1/load/stats', '{"request_id":"honest"}'],
  ['DELETE', '/v1/load/prompt', '{"request_id":"honest"}'],
  ['POST', '/log/level', '{"LevelParam":"DEBUG"}'],
] as const;

const foreign: [string, Record<string, string>][] = [
  ['Sec-Fetch-Site says so', { 'Sec-Fetch-Site': 'cross-site' }],
  ['Origin is another site', { Origin: 'https://example.com', 'Content-Type': 'text/plain' }],
  ['Origin is another port', { Origin: 'http://127.0.0.1:1' }],
  ['Origin is opaque', { Origin: 'null' }],
  ['a name was rebound to the address', { Origin: 'http://rebound.example:80', Host: 'rebound.example:80' }],
  ['an address-like name was rebound', { Origin: 'http://10.0.0.1.example', Host: '10.0.0.1.example' }],
];

describe.each(changing)('%s %s from a web page', (method, path, sent) => {
  it.each(foreign)('is refused where %s (I8)', async (_what, headers) => {
    await post(replica.port, { cluster: 'kept', request_id: 'honest', ip: '10.0.0.1', timestamp: 1 });
    const before = replica.replicator.highestSeq;
    const answer = await callJson(replica.port, method, path, { body: sent, headers });
    expect(answer).toMatchObject({ status: 403, code: 40301000 });
    expect(replica.replicator.highestSeq).toBe(before);
    expect(await rows(replica.port, 'kept')).toMatchObject([{ queued_req_num: 1 }]);
  });
});

it.each([
  ['this replica, by address', (port: number) => ({ Origin: `http://127.0.0.1:${port}` })],
  [
    'this replica, by localhost',
    (port: number) => ({ Origin: `http://localhost:${port}`, Host: `localhost:${port}` }),
  ],
  ['this replica, by IPv6', () => ({ Origin: 'http://[::1]:8080', Host: '[::1]:8080' })],
  ['nowhere: it is no page', () => ({ 'Sec-Fetch-Site': 'none' })],
])('a page of %s may report', async (_what, headersAt) => {
  const headers: Record<string, string> = { 'Sec-Fetch-Site': 'same-origin', ...headersAt(replica.port) };
  const request_id = JSON.stringify(headers);
  const own = JSON.stringify({ cluster: 'own', request_id, ip: '10.0.0.1' });
  expect(await callJson(replica.port, 'POST', '/v1/load/stats', { body: own, headers })).toMatchObject({
    code: 0,
  });
});

it('reading is not refused', async () => {
  const headers = { Origin: 'https://example.com', 'Sec-Fetch-Site': 'cross-site' };
  for (const path of ['/v1/load/stats?cluster=c', '/healthz', '/readyz'])
    expect(await callJson(replica.port, 'GET', path, { headers })).toMatchObject({ code: 0 });
});
