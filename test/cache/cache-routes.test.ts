/** The routes of the prefix cache at one replica, over HTTP: I15, and I8 for what is not valid. */
import { gzipSync } from 'node:zlib';
import { call, callJson, type JsonAnswer, RawConnection } from '../http/client';
import { oneReplica, startReplica } from '../http/replica';

let port: number;

oneReplica((it) => ({ port } = it));

/** As text: numbers of JavaScript hold no 64 bits. */
const query = (cluster: string, hashes: string, more = '', at = port): Promise<JsonAnswer> =>
  callJson(at, 'POST', '/v1/cache/query', {
    body: `{"cluster":"${cluster}","prompt_hash":${hashes}${more}}`,
  });
const save = (cluster: string, hashes: string, ip: string, at = port): Promise<JsonAnswer> =>
  callJson(at, 'POST', '/v1/cache/save', {
    body: `{"cluster":"${cluster}","prompt_hash":${hashes},"ip":"${ip}"}`,
  });
const clear = (body: object, at = port): Promise<JsonAnswer> =>
  callJson(at, 'DELETE', '/v1/cache', { body: JSON.stringify(body) });
const found = async (cluster: string, hashes: string, more = ''): Promise<unknown> =>
  ((await query(cluster, hashes, more)).envelope.data as { locations: unknown }).locations;

describe('the exact bytes of the gateway in use', () => {
  it('are answered as it reads them: no Content-Type, an empty TraceId, one connection', async () => {
    const raw = await RawConnection.open(port);
    const send = (path: string, body: string): Promise<JsonAnswer> => {
      raw.send(
        `POST ${path} HTTP/1.1\r\nHost: metadata-center:8080\r\nUser-Agent: Go-http-client/1.1\r\n` +
          `Content-Length: ${body.length}\r\nTraceId: \r\nAccept-Encoding: gzip\r\n\r\n${body}`,
      );
      return raw.answer();
    };
    const queried = '{"cluster":"qwen3.service","prompt_hash":[12873452398745623487,42],"topk":10}';
    const saved = '{"cluster":"qwen3.service","prompt_hash":[12873452398745623487,42],"ip":"10.0.0.7"}';
    const answered = (data: string, { text, envelope }: JsonAnswer): void =>
      expect(text).toBe(`{"status":"OK","error":null,"data":${data},"trace_id":"${envelope.trace_id}"}`);
    answered('{"locations":[]}', await send('/v1/cache/query', queried));
    answered('null', await send('/v1/cache/save', saved));
    answered('{"locations":[{"ip":"10.0.0.7","length":2}]}', await send('/v1/cache/query', queried));
    answered(
      'null',
      await send('/v1/cache/save', '{"cluster":"qwen3.service","prompt_hash":null,"ip":"10.0.0.8"}'),
    );
    answered(
      '{"locations":[]}',
      await send('/v1/cache/query', '{"cluster":"qwen3.service","prompt_hash":null,"topk":10}'),
    );
    answered('{"locations":[{"ip":"10.0.0.7","length":2}]}', await send('/v1/cache/query', queried));
    expect(raw.closed).toBe(false);
    raw.close();
  });
});

describe('what a query finds', () => {
  it('is how many leading chunks each engine holds, longest first, then by ascending address', async () => {
    for (const ip of ['10.0.0.10', '10.0.0.9', '9.255.0.1']) await save('order', '[1,2,3]', ip);
    await save('order', '[1,2,3,4]', '200.0.0.1');
    await save('order', '[1]', '1.1.1.1');
    await save('order', '[7,8]', '1.1.1.2');
    await save('another', '[1,2,3,4]', '1.1.1.3');
    expect(await found('order', '[1,2,3,4]')).toEqual([
      { ip: '200.0.0.1', length: 4 },
      { ip: '9.255.0.1', length: 3 },
      { ip: '10.0.0.9', length: 3 },
      { ip: '10.0.0.10', length: 3 },
      { ip: '1.1.1.1', length: 1 },
    ]);
    expect(await found('order', '[1,2,3,4]', ',"topk":2')).toEqual([
      { ip: '200.0.0.1', length: 4 },
      { ip: '9.255.0.1', length: 3 },
    ]);
    expect(await found('nobody', '[1,2,3,4]')).toEqual([]);
  });

  it('is ten engines unless `topk` says otherwise, and never more than 64', async () => {
    for (let i = 1; i <= 70; i++) await save('many', '[5]', `10.0.1.${i}`);
    const count = async (more: string): Promise<number> =>
      ((await found('many', '[5]', more)) as unknown[]).length;
    expect([
      await count(''),
      await count(',"topk":0'),
      await count(',"topk":null'),
      await count(',"topk":11'),
      await count(',"topk":1024'),
    ]).toEqual([10, 10, 10, 11, 64]);
  });

  it.each(['null', '[]'])('is nothing for %s, which saves nothing either', async (hashes) => {
    expect((await save('empty', hashes, '10.0.0.1')).envelope.data).toBeNull();
    expect(await found('empty', hashes)).toEqual([]);
    expect(
      (await callJson(port, 'POST', '/v1/cache/query', { body: '{"cluster":"empty"}' })).envelope.data,
    ).toEqual({ locations: [] });
    const absent = { body: '{"cluster":"empty","ip":"10.0.0.1"}' };
    expect((await callJson(port, 'POST', '/v1/cache/save', absent)).envelope.data).toBeNull();
  });

  it('tells hashes apart by the last of their 64 bits', async () => {
    await save('bits', '[18446744073709551615,9007199254740993,0]', '10.0.0.1');
    for (const [hash, length] of [
      ['18446744073709551615', 1],
      ['9007199254740993', 1],
      ['0', 1],
      ['18446744073709551614', 0],
      ['9007199254740992', 0],
      ['4294967296', 0],
    ] as const) {
      expect([hash, await found('bits', `[${hash}]`)]).toEqual([
        hash,
        length === 1 ? [{ ip: '10.0.0.1', length }] : [],
      ]);
    }
  });

  it('is the whole of 3,000 hashes in one body', async () => {
    const hashes = Array.from({ length: 3_000 }, (_, i) => 18446744073709551615n - BigInt(i));
    expect((await save('long', `[${hashes.join()}]`, '10.0.0.1')).code).toBe(0);
    expect(await found('long', `[${hashes.join()}]`)).toEqual([{ ip: '10.0.0.1', length: 3_000 }]);
    expect(await found('long', `[${hashes.slice(0, 1_234).join()}]`)).toEqual([
      { ip: '10.0.0.1', length: 1_234 },
    ]);
  });
});

describe('a clear', () => {
  it('forgets what was saved before for the engine, in one cluster or in all, and not what is saved after', async () => {
    for (const cluster of ['clear-a', 'clear-b'])
      for (const ip of ['10.0.0.1', '10.0.0.2']) await save(cluster, '[1,2]', ip);
    const both = async (): Promise<unknown> => [
      await found('clear-a', '[1,2]'),
      await found('clear-b', '[1,2]'),
    ];
    const [one, two] = [
      { ip: '10.0.0.1', length: 2 },
      { ip: '10.0.0.2', length: 2 },
    ];
    expect((await clear({ cluster: 'clear-a', ip: '10.0.0.1' })).envelope.data).toBeNull();
    expect(await both()).toEqual([[two], [one, two]]);
    await save('clear-a', '[1]', '10.0.0.1');
    expect(await both()).toEqual([
      [two, { ...one, length: 1 }],
      [one, two],
    ]);
    expect((await clear({ ip: '10.0.0.1', cluster: null })).code).toBe(0);
    expect(await both()).toEqual([[two], [two]]);
    expect((await clear({ ip: '10.9.9.9' })).code).toBe(0);
  });
});

describe('what is refused changes nothing (I8)', () => {
  const most = (count: number): string => `[${'1,'.repeat(count - 1)}1]`;

  it.each([
    ['cluster is required', '{"prompt_hash":[1],"ip":"10.0.0.1"}'],
    ['cluster must be', '{"cluster":"","prompt_hash":[1],"ip":"10.0.0.1"}'],
    ['ip is required', '{"cluster":"bad","prompt_hash":[1]}'],
    ['ip must be an IPv4 address', '{"cluster":"bad","prompt_hash":[1],"ip":"10.0.0"}'],
    ['prompt_hash must be an array of at most 16384', '{"cluster":"bad","prompt_hash":1,"ip":"10.0.0.1"}'],
    ['prompt_hash must be an array', '{"cluster":"bad","prompt_hash":"1","ip":"10.0.0.1"}'],
    ['prompt_hash must be an array', '{"cluster":"bad","prompt_hash":{"0":1},"ip":"10.0.0.1"}'],
    ['prompt_hash[1] must be an integer from 0', '{"cluster":"bad","prompt_hash":[1,-1],"ip":"10.0.0.1"}'],
    ['prompt_hash[2] must be an integer from 0', '{"cluster":"bad","prompt_hash":[1,2,0.5],"ip":"10.0.0.1"}'],
    ['prompt_hash[0] must be an integer from 0', '{"cluster":"bad","prompt_hash":["1"],"ip":"10.0.0.1"}'],
    ['prompt_hash[1] must be an integer from 0', '{"cluster":"bad","prompt_hash":[1,null],"ip":"10.0.0.1"}'],
    ['prompt_hash[0] must be an integer from 0', '{"cluster":"bad","prompt_hash":[[1]],"ip":"10.0.0.1"}'],
    [
      'prompt_hash[0] must be an integer from 0 to 18446744073709551615',
      '{"cluster":"bad","prompt_hash":[18446744073709551616],"ip":"10.0.0.1"}',
    ],
    [
      'prompt_hash must be an array of at most 16384',
      `{"cluster":"bad","prompt_hash":${most(16_385)},"ip":"10.0.0.1"}`,
    ],
    [
      'prompt_hash must be given only once',
      '{"cluster":"bad","prompt_hash":[1],"prompt_hash":[1],"ip":"10.0.0.1"}',
    ],
    [
      'prompt_hash[0] must be an integer from 0 to 18446744073709551615; ip must be',
      '{"cluster":"bad","prompt_hash":[-1],"ip":"x"}',
    ],
    ['body must be a JSON object', '[]'],
    ['body is empty', ''],
  ])('a save (%#): %s', async (reason, body) => {
    const answer = await callJson(port, 'POST', '/v1/cache/save', { body });
    expect([answer.code, answer.reason]).toEqual([40001400, expect.stringContaining(reason)]);
    expect(await found('bad', '[1]')).toEqual([]);
  });

  it.each([
    ['query', '"topk":-1', 'topk must be an integer from 0 to 1024'],
    ['query', '"topk":1025', 'topk must be an integer from 0 to 1024'],
    ['query', '"topk":"10"', 'topk must be an integer from 0 to 1024'],
    ['query', '"prompt_hash":[true]', 'prompt_hash[0] must be'],
  ])('a %s with %s', async (_what, field, reason) => {
    const answer = await callJson(port, 'POST', '/v1/cache/query', { body: `{"cluster":"bad",${field}}` });
    expect([answer.code, answer.reason]).toEqual([40001400, expect.stringContaining(reason)]);
  });

  it.each([
    {},
    { cluster: 'c' },
    { ip: '10.0.0' },
    { ip: '10.0.0.1', cluster: '' },
    { ip: '10.0.0.1', cluster: 7 },
  ])('a clear of %j', async (body) => {
    expect((await clear(body)).code).toBe(40001400);
  });

  it('a body of more than 256 KiB, plain or unfolded; elsewhere of more than 64 KiB', async () => {
    const body = (bytes: number): string => {
      const start = '{"cluster":"large","prompt_hash":[1],"ip":"10.0.0.1","more":"';
      return `${start}${'x'.repeat(bytes - start.length - 2)}"}`;
    };
    const KIB = 1024;
    const at = async (path: string, sent: string | Buffer, headers = {}): Promise<number> =>
      (await callJson(port, 'POST', path, { body: sent, headers })).code;
    expect(await at('/v1/cache/query', body(256 * KIB))).toBe(0);
    expect(await at('/v1/cache/query', body(256 * KIB + 1))).toBe(41301000);
    expect(await at('/v1/cache/save', body(256 * KIB + 1))).toBe(41301000);
    expect(await at('/v1/cache/save', gzipSync(body(256 * KIB + 1)), { 'Content-Encoding': 'gzip' })).toBe(
      41301000,
    );
    expect(await found('large', '[1]')).toEqual([]);
    expect(await at('/v1/cache/save', body(256 * KIB))).toBe(0);
    expect(await found('large', '[1]')).toEqual([{ ip: '10.0.0.1', length: 1 }]);
    expect(await at('/v1/load/stats', body(64 * KIB + 1))).toBe(41301000);
    expect(
      (
        await callJson(port, 'POST', '/v1/cache/query', {
          body: `{"cluster":"c","prompt_hash":${most(16_384)}}`,
        })
      ).code,
    ).toBe(0);
  });

  it('more engines than METADATA_CENTER_MAX_ENGINES (I7)', async () => {
    const small = await startReplica({ METADATA_CENTER_MAX_ENGINES: '1' });
    expect((await save('c', '[1]', '10.0.0.1', small.port)).code).toBe(0);
    const answer = await save('c', '[1]', '10.0.0.2', small.port);
    expect([answer.code, answer.reason]).toEqual([
      50301000,
      'the prefix cache holds as many engines as it may',
    ]);
    expect((await query('c', '[1]', '', small.port)).envelope.data).toEqual({
      locations: [{ ip: '10.0.0.1', length: 1 }],
    });
    await small.stop();
  });
});

describe('METADATA_CENTER_CACHE=off', () => {
  it('answers empty, with 200', async () => {
    const off = await startReplica({ METADATA_CENTER_CACHE: 'off' });
    expect((await save('c', '[1]', '10.0.0.1', off.port)).envelope.data).toBeNull();
    expect((await query('c', '[1]', '', off.port)).envelope.data).toEqual({ locations: [] });
    expect((await clear({ ip: '10.0.0.1' }, off.port)).envelope.data).toBeNull();
    expect((await save('c', '[-1]', '10.0.0.1', off.port)).code).toBe(40001400);
    expect((await call(off.port, 'GET', '/metrics')).text).not.toContain('metacenter_cache_');
    await off.stop();
  });
});

it('the metrics count queries by what they found, saves, clears and entries', async () => {
  const fresh = await startReplica();
  await save('c', '[1,2,3]', '10.0.0.1', fresh.port);
  await save('c', '[1,2]', '10.0.0.2', fresh.port);
  await query('c', '[1]', '', fresh.port);
  await query('c', '[2]', '', fresh.port);
  await query('c', '[9]', '', fresh.port);
  await clear({ ip: '10.0.0.2' }, fresh.port);
  const lines = (await call(fresh.port, 'GET', '/metrics')).text.split('\n');
  for (const line of [
    'metacenter_cache_entries 5',
    'metacenter_cache_queries_total{result="hit"} 2',
    'metacenter_cache_queries_total{result="miss"} 1',
    'metacenter_cache_saves_total 2',
    'metacenter_cache_clears_total 1',
    'metacenter_cache_evicted_total 0',
  ])
    expect(lines).toContain(line);
  const age = lines.find((line) => line.startsWith('metacenter_cache_horizon_age_seconds '))!;
  // The time to live.
  expect(Number(age.split(' ')[1])).toBeCloseTo(600, -1);
  await fresh.stop();
});
