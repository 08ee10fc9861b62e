/** Bodies that come compressed, as proxies and client libraries send them. */
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { callJson, post, rows } from './client';
import { type Replica, startReplica, stopReplicas } from './replica';

let replica: Replica;
beforeAll(async () => void (replica = await startReplica()));
afterAll(stopReplicas);

function report(request_id: string, cluster: string): Buffer {
  return Buffer.from(JSON.stringify({ cluster, request_id, ip: '10.0.0.1' }));
}

function send(body: Buffer, encoding: string) {
  return callJson(replica.port, 'POST', '/v1/load/stats', {
    body,
    headers: { 'Content-Encoding': encoding },
  });
}

describe('a compressed body', () => {
  it.each([
    ['gzip', 'gzip', gzipSync],
    ['gzip in capitals', 'GZIP', gzipSync],
    ['x-gzip', 'x-gzip', gzipSync],
    ['deflate', 'deflate', deflateSync],
    ['deflate without the zlib header', 'deflate', deflateRawSync],
    ['br', 'br', brotliCompressSync],
    ['identity', 'identity', (body: Buffer) => body],
    ['no name', '', (body: Buffer) => body],
  ])('of the coding %s is unfolded, not taken for broken text', async (cluster, encoding, compress) => {
    expect(await send(compress(report(cluster, cluster)), encoding)).toMatchObject({ status: 200, code: 0 });
    expect(await rows(replica.port, cluster)).toMatchObject([{ queued_req_num: 1 }]);
  });

  it.each(['zstd', 'compress', 'gzip, br', 'constructor'])(
    'of the coding %s is refused as such (I8)',
    async (encoding) => {
      const before = replica.replicator.highestSeq;
      const answer = await send(report('unknown', 'c'), encoding);
      expect(answer).toMatchObject({
        status: 415,
        code: 41501000,
        headers: { 'accept-encoding': 'gzip, deflate, br' },
      });
      expect(replica.replicator.highestSeq).toBe(before);
    },
  );

  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
  ])('that unfolds to more than the limit ends there (%s, I7)', async (encoding, compress) => {
    const padded = (bytes: number): Buffer => {
      const json = report(`padded-${encoding}-${bytes}`, 'padded');
      return Buffer.concat([json, Buffer.alloc(bytes - json.length, ' ')]);
    };
    expect(await send(compress(padded(65_536)), encoding)).toMatchObject({ code: 0 });
    expect(await send(compress(padded(65_537)), encoding)).toMatchObject({ status: 413, code: 41301000 });
    const bomb = compress(Buffer.alloc(32 * 1024 * 1024, ' '));
    expect(await send(bomb, encoding)).toMatchObject({ status: 413, code: 41301000 });
  });

  it.each(['gzip', 'deflate', 'br'])(
    'that is not what it says it is is refused (%s, I8)',
    async (encoding) => {
      const answer = await send(report('broken', 'c'), encoding);
      expect(answer).toMatchObject({ status: 400, code: 40001400 });
      expect(answer.reason).toBe(`body is not what its Content-Encoding says: ${encoding}`);
    },
  );
});

it('a byte order mark in front of a body is no part of it', async () => {
  expect(await post(replica.port, `\ufeff${report('marked', 'marked').toString()}`)).toMatchObject({
    code: 0,
  });
  expect(await rows(replica.port, 'marked')).toMatchObject([{ queued_req_num: 1 }]);
});
