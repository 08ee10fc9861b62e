/** Whatever a body holds: no 5xx, no crash, and no changed row unless it is a report that the contract allows (I8). */
import fc from 'fast-check';
import { callJson, post, RawConnection } from './client';
import { type Replica, startReplica, stopReplicas } from './replica';
import { runs } from '../support/size';

let replica: Replica;
let port: number;

beforeAll(async () => {
  replica = await startReplica();
  port = replica.port;
  await post(port, { cluster: 'steady', request_id: 'steady', ip: '10.0.0.1', prompt_length: 7 });
});

afterAll(stopReplicas);

const seed = Date.now() >>> 0;
const routes = fc.constantFrom(
  ['POST', '/v1/load/stats'] as const,
  ['DELETE', '/v1/load/stats'] as const,
  ['DELETE', '/v1/load/prompt'] as const,
  ['POST', '/log/level'] as const,
);

const good =
  '{"cluster":"fuzz","request_id":"fuzz","ip":"10.0.0.1","prompt_length":5,"timestamp":1758350000000000001}';
const hostile = fc.constantFrom<unknown>(
  ...['', 'x'.repeat(257), '\ud800', '10.0.0.01', '__proto__', '\u0000'],
  ...[-1, 0.5, 1e300, 2 ** 31, true, null, [], {}, [[]], { constructor: 1 }, { then: 1 }],
);

/** A good report with some fields replaced by what does not belong there. */
const mutatedFields = fc
  .dictionary(
    fc.constantFrom('cluster', 'request_id', 'ip', 'prompt_length', 'timestamp', 'LevelParam'),
    hostile,
    {
      minKeys: 1,
    },
  )
  .map((fields) =>
    JSON.stringify({ ...(JSON.parse(good) as object), request_id: [], ...fields, LevelParam: 0 }),
  );
/** A good report with some bytes cut out, put in or changed. */
const mutatedBytes = fc
  .array(fc.tuple(fc.nat(good.length), fc.nat(3), fc.uint8Array({ maxLength: 3 })), {
    minLength: 1,
    maxLength: 4,
  })
  .map((edits) => {
    let bytes = Buffer.from(good);
    for (const [at, cut, put] of edits)
      bytes = Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + cut)]);
    return bytes;
  });
const anyJson = fc.json({ maxDepth: 4, noUnicodeString: false });
const anyBytes = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));

/** By the contract's words alone; what is not clearly invalid is left out of the claim about rows. */
function mayChangeRows(method: string, body: string | Buffer): boolean {
  try {
    const parsed: unknown = JSON.parse(body.toString());
    if (typeof parsed !== 'object' || parsed === null) return false;
    const { request_id: id, cluster, ip } = parsed as Record<string, unknown>;
    if (typeof id !== 'string' || id.length === 0 || id.length > 256) return false;
    return (
      method === 'DELETE' || (typeof cluster === 'string' && cluster.length > 0 && typeof ip === 'string')
    );
  } catch {
    return false;
  }
}

it(`no body brings a replica out of step (fast-check seed ${seed}) (I8)`, async () => {
  const before = replica.replicator.rowsJson('steady');
  const bodies = fc.oneof<fc.Arbitrary<string | Buffer>[]>(mutatedFields, mutatedBytes, anyJson, anyBytes);
  await fc.assert(
    fc.asyncProperty(routes, bodies, async ([method, path], body) => {
      const events = replica.replicator.highestSeq;
      const answer = await callJson(port, method, path, { body });
      expect(answer.status).toBeLessThan(500);
      const accepted = answer.code === 0;
      expect(accepted && path !== '/log/level' && !mayChangeRows(method, body)).toBe(false);
      expect(!accepted && replica.replicator.highestSeq !== events).toBe(false);
    }),
    { numRuns: runs(1_500), seed },
  );
  expect(replica.replicator.rowsJson('steady')).toBe(before);
  expect(replica.log.filter((line) => line['level'] === 'error' || line['level'] === 'fatal')).toEqual([]);
});

it(`no bytes on a connection bring it down (fast-check seed ${seed}) (I8)`, async () => {
  const pieces = fc.constantFrom(
    ...[
      'GET ',
      'POST ',
      'DELETE ',
      '/v1/load/stats',
      '?cluster=a',
      ' HTTP/1.1',
      ' HTTP/9.9',
      '\r\n',
      '\n',
      '\r\n\r\n',
    ],
    ...[
      'Host: x',
      'Content-Length: 5',
      'Content-Length: -1',
      'Transfer-Encoding: chunked',
      'Expect: 100-continue',
    ],
    ...[
      'Connection: close',
      'Upgrade: websocket',
      'Connection: upgrade',
      '5\r\nhello\r\n',
      '0\r\n\r\n',
      '{}',
      '\0',
      'ÿ',
    ],
  );
  const streams = fc.array(fc.oneof({ weight: 5, arbitrary: pieces }, fc.string({ maxLength: 5 })), {
    maxLength: 20,
  });
  const before = replica.replicator.highestSeq;
  await fc.assert(
    fc.asyncProperty(streams, async (stream) => {
      const raw = await RawConnection.open(port);
      raw.socket.end(stream.join(''), 'latin1');
      await raw.untilClosed();
      expect(raw.received).not.toMatch(/^HTTP\/1.1 5/m);
    }),
    { numRuns: runs(300), seed },
  );
  expect(replica.replicator.highestSeq).toBe(before);
  expect((await callJson(port, 'GET', '/healthz')).status).toBe(200);
});
