/** Every row of the contract's error table, provoked over real HTTP; and that no error changes a row (I8). */
import { Registry } from 'prom-client';
import { call, callJson, del, delPrompt, type JsonAnswer, post, rows } from './client';
import { type Replica, startReplica, stopReplicas } from './replica';
import { startServer } from './server-fixture';

let replica: Replica;
let port: number;

beforeAll(async () => {
  replica = await startReplica();
  port = replica.port;
});

afterAll(stopReplicas);

const add = { cluster: 'c', request_id: 'r', ip: '10.0.0.1' };
let ids = 0;
const newId = (): string => `id-${ids++}`;

describe('40001000 Data duplicate', () => {
  it('is answered to a report of an id in flight', async () => {
    const request_id = newId();
    await post(port, { ...add, request_id });
    expect((await post(port, { ...add, request_id })).code).toBe(40001000);
    expect((await post(port, { ...add, request_id, ip: '10.0.0.2' })).code).toBe(40001000);
  });

  it('says that each attempt needs an id of its own where a resend names another engine or cluster, and changes nothing (I2)', async () => {
    const first = { ...add, cluster: 'moved', request_id: newId(), timestamp: 5 };
    expect((await post(port, first)).code).toBe(0);
    const before = replica.replicator.highestSeq;
    for (const other of [{ ip: '10.0.0.2' }, { cluster: 'moved-too' }]) {
      const refused = await post(port, { ...first, ...other });
      expect(refused).toMatchObject({ code: 40001000, status: 400 });
      expect(refused.reason).toContain('each attempt needs an id of its own');
    }
    // The same report again is a resend, whatever the prompt: that is no part of what was agreed on.
    expect((await post(port, first)).code).toBe(0);
    expect((await post(port, { ...first, prompt_length: 9 })).code).toBe(0);
    expect(replica.replicator.highestSeq).toBe(before);
    expect(await rows(port, 'moved')).toMatchObject([{ ip: '10.0.0.1', queued_req_num: 1 }]);
  });

  it('is answered to a report of an id that was just finished', async () => {
    const request_id = newId();
    await post(port, { ...add, request_id });
    await del(port, { request_id });
    expect(await post(port, { ...add, request_id })).toMatchObject({ code: 40001000, status: 400 });
  });
});

describe('40001404 Resource already deleted', () => {
  it.each([
    ['a second delete', del, del],
    ['a second prompt-delete', delPrompt, delPrompt],
    ['a prompt-delete after the delete', del, delPrompt],
  ])('is answered to %s', async (_what, first, second) => {
    const request_id = newId();
    await post(port, { ...add, request_id });
    expect((await first(port, { request_id })).code).toBe(0);
    expect(await second(port, { request_id })).toMatchObject({ code: 40001404, status: 404 });
    await del(port, { request_id });
  });
});

describe('40401001 Request not found', () => {
  it('is answered to a refresh of an unknown request that does not say where it runs', async () => {
    const refused = await callJson(port, 'PUT', '/v1/load/stats', { body: `{"request_id":"${newId()}"}` });
    expect(refused).toMatchObject({ code: 40401001, status: 404 });
  });
});

describe('40901000 another deployment', () => {
  it.each(['status', 'snapshot'])('is answered to a replica that asks for the %s (I9)', async (what) => {
    const path = `/v1/replica/${what}?deployment=staging&speaks=1`;
    expect(await callJson(port, 'GET', path)).toMatchObject({ code: 40901000, status: 409 });
    expect(await callJson(port, 'GET', `/v1/replica/${what}?speaks=0`)).toMatchObject({ code: 40001400 });
  });
});

describe('with METADATA_CENTER_REPLAY_POLICY=accept', () => {
  let accepting: Replica;
  beforeAll(async () => void (accepting = await startReplica({ METADATA_CENTER_REPLAY_POLICY: 'accept' })));

  it('copies are answered 200 and change nothing (I2)', async () => {
    const request_id = newId();
    for (let copy = 0; copy < 3; copy++)
      expect((await post(accepting.port, { ...add, request_id })).code).toBe(0);
    expect(await rows(accepting.port, 'c')).toMatchObject([{ queued_req_num: 1 }]);
    for (let copy = 0; copy < 3; copy++)
      expect((await delPrompt(accepting.port, { request_id })).code).toBe(0);
    for (let copy = 0; copy < 3; copy++) expect((await del(accepting.port, { request_id })).code).toBe(0);
    expect(await rows(accepting.port, 'c')).toMatchObject([{ queued_req_num: 0 }]);
    const timed = { ...add, request_id: newId(), timestamp: 5 };
    for (const ip of ['10.0.0.1', '10.0.0.2'])
      expect((await post(accepting.port, { ...timed, ip })).code).toBe(0);
    expect((await post(accepting.port, { ...add, request_id: 5 })).code).toBe(40001400);
  });
});

describe('50301000 a limit is reached', () => {
  it('names METADATA_CENTER_MAX_IN_FLIGHT, and deletes make room again (I7)', async () => {
    const small = await startReplica({ METADATA_CENTER_MAX_IN_FLIGHT: '2' });
    await post(small.port, { ...add, request_id: 'a' });
    await post(small.port, { ...add, request_id: 'b' });
    const refused = await post(small.port, { ...add, request_id: 'c' });
    expect(refused).toMatchObject({ code: 50301000, status: 503 });
    expect(refused.reason).toContain('METADATA_CENTER_MAX_IN_FLIGHT');
    expect((await del(small.port, { request_id: 'a' })).code).toBe(0);
    expect((await post(small.port, { ...add, request_id: 'c' })).code).toBe(0);
  });

  it('is said in the log and in /readyz, which calls the replica degraded while reports are refused (I7)', async () => {
    const small = await startReplica({ METADATA_CENTER_MAX_IN_FLIGHT: '2' });
    const readiness = async (): Promise<unknown> =>
      (await callJson(small.port, 'GET', '/readyz')).envelope.data;
    expect(await readiness()).toMatchObject({ degraded: false, limits: {} });
    for (const request_id of ['a', 'b', 'c', 'd']) await post(small.port, { ...add, request_id });
    expect(await readiness()).toMatchObject({
      ready: true,
      degraded: true,
      reason: 'limit reached: in_flight',
      limits: { in_flight: { use: 2, most: 2, refused: 2 } },
    });
    expect(small.log.filter(({ msg }) => msg === 'limit reached')).toMatchObject([
      { level: 'warn', limit: 'in_flight', most: 2 },
    ]);
  });

  it('names METADATA_CENTER_MAX_ENGINES, and engines that are known still take requests (I7)', async () => {
    const small = await startReplica({ METADATA_CENTER_MAX_ENGINES: '1' });
    await post(small.port, { ...add, request_id: 'a' });
    const refused = await post(small.port, { ...add, request_id: 'b', ip: '10.0.0.2' });
    expect(refused).toMatchObject({ code: 50301000, status: 503 });
    expect(refused.reason).toContain('METADATA_CENTER_MAX_ENGINES');
    expect((await post(small.port, { ...add, request_id: 'b' })).code).toBe(0);
  });

  it('is answered to new requests while too many finished ones are remembered, never to those in flight (I2, I7)', async () => {
    const small = await startServer({ finishedCeiling: 1 });
    for (const request_id of ['a', 'b'])
      expect((await post(small.port, { ...add, request_id })).code).toBe(0);
    for (const request_id of ['a', 'b']) expect((await del(small.port, { request_id })).code).toBe(0);
    const refused = await post(small.port, { ...add, request_id: 'c' });
    expect(refused).toMatchObject({ code: 50301000, status: 503 });
    expect(refused.reason).toContain('finished requests');
    expect(await rows(small.port, 'c')).toMatchObject([{ queued_req_num: 0 }]);
  });

  it('is answered to deletes of unknown ids that would fill the memory (I7)', async () => {
    const small = await startServer({ finishedCeiling: 1 });
    expect((await del(small.port, { request_id: 'a' })).code).toBe(0);
    expect(await del(small.port, { request_id: 'b' })).toMatchObject({ code: 50301000, status: 503 });
  });
});

describe('40001400 Invalid input parameters', () => {
  const { cluster, request_id, ip } = add;
  const text = (length: number): string => 'x'.repeat(length);
  const text256 = 'a string of 1 to 256 characters';
  const promptRule = 'prompt_length must be an integer from 0 to 2147483647';
  const timestampRule = 'timestamp must be an integer from 0 to 9223372036854775807';

  const badAdds: [string, unknown, string][] = [
    ['no cluster', { request_id, ip }, `cluster is required and must be ${text256}`],
    ['no request_id', { cluster, ip }, `request_id is required and must be ${text256}`],
    ['no ip', { cluster, request_id }, 'ip is required and must be an IPv4 address'],
    ['null for a cluster', { ...add, cluster: null }, `cluster is required and must be ${text256}`],
    ['an empty cluster', { ...add, cluster: '' }, `cluster must be ${text256}`],
    ['an empty request_id', { ...add, request_id: '' }, `request_id must be ${text256}`],
    ['too long a cluster', { ...add, cluster: text(257) }, `cluster must be ${text256}`],
    ['too long a request_id', { ...add, request_id: text(257) }, `request_id must be ${text256}`],
    ['257 emoji', { ...add, cluster: '🙂'.repeat(257) }, `cluster must be ${text256}`],
    [
      'half a character',
      '{"cluster":"\\ud800","request_id":"r","ip":"10.0.0.1"}',
      `cluster must be ${text256}`,
    ],
    ['a number for a cluster', { ...add, cluster: 7 }, `cluster must be ${text256}`],
    ['a list for an id', { ...add, request_id: ['r'] }, `request_id must be ${text256}`],
    ['an object for an id', { ...add, request_id: { constructor: 5 } }, `request_id must be ${text256}`],
    ...[
      '',
      '10.0.0',
      '10.0.0.256',
      '10.0.0.01',
      '::1',
      ' 10.0.0.1',
      '10.0.0.1\n',
      '10.0.0.1.1',
      '1e1.0.0.1',
      7,
    ].map((bad): [string, unknown, string] => [
      `the ip ${JSON.stringify(bad)}`,
      { ...add, ip: bad },
      'ip must be an IPv4 address',
    ]),
    ...[-1, 1.5, 2147483648, 1e300, '5', true, [], {}].map((bad): [string, unknown, string] => [
      `the prompt_length ${JSON.stringify(bad)}`,
      { ...add, prompt_length: bad },
      promptRule,
    ]),
    ...['-1', '1.5', '9223372036854775808', '1e300', '"1"', 'false', '[1]', '{}'].map(
      (bad): [string, unknown, string] => [
        `the timestamp ${bad}`,
        `{"cluster":"c","request_id":"r","ip":"10.0.0.1","timestamp":${bad}}`,
        timestampRule,
      ],
    ),
    [
      'a repeated field',
      '{"cluster":"c","request_id":"a","request_id":"b","ip":"10.0.0.1"}',
      'request_id must be given only once',
    ],
    [
      'a field repeated in disguise',
      '{"cluster":"c","\\u0069p":"10.0.0.1","request_id":"b","ip":"10.0.0.1"}',
      'ip must be given only once',
    ],
    [
      'everything at once',
      { cluster: '', ip: 'localhost', prompt_length: -1, timestamp: 0.5 },
      `cluster must be ${text256}; request_id is required and must be ${text256}; ${promptRule}; ${timestampRule}; ip must be an IPv4 address`,
    ],
  ];

  it.each(badAdds)('names the bad fields of a report with %s (I8)', async (_what, body, reason) => {
    const before = replica.replicator.highestSeq;
    expect(await post(port, body)).toMatchObject({ code: 40001400, status: 400, reason });
    expect(replica.replicator.highestSeq).toBe(before);
  });

  it.each([
    ['ip', '10.0.0'],
    ['ip', 7],
    ['cluster', text(257)],
    ['cluster', null],
    ['prompt_length', -1],
    ['timestamp', 'now'],
  ])('a delete is done although its %s is %j, which it does not use (I2)', async (field, bad) => {
    const ended = { cluster: `ended-${field}`, request_id: newId(), ip: '10.0.0.1' };
    await post(port, ended);
    expect((await delPrompt(port, { request_id: ended.request_id, [field]: bad })).code).toBe(0);
    expect((await del(port, { request_id: ended.request_id, [field]: bad })).code).toBe(0);
    expect(await rows(port, ended.cluster)).toMatchObject([{ queued_req_num: 0 }]);
  });

  const badDeletes: [string, unknown, string][] = [
    ['no request_id', {}, `request_id is required and must be ${text256}`],
    ['an empty request_id', { request_id: '' }, `request_id must be ${text256}`],
    ['a repeated request_id', '{"request_id":"a","request_id":"b"}', 'request_id must be given only once'],
  ];

  it.each(badDeletes)('names the bad fields of a delete with %s (I8)', async (_what, body, reason) => {
    const before = replica.replicator.highestSeq;
    expect(await del(port, body)).toMatchObject({ code: 40001400, status: 400, reason });
    expect(await delPrompt(port, body)).toMatchObject({ code: 40001400, status: 400, reason });
    expect(replica.replicator.highestSeq).toBe(before);
  });

  const badBodies: [string, string | Buffer, string][] = [
    ['nothing', '', 'body is empty and must be a JSON object'],
    ['a space', ' ', 'body must be a JSON object and is not valid JSON'],
    ['half an object', '{"cluster":"c"', 'body must be a JSON object and is not valid JSON'],
    ['two objects', '{}{}', 'body must be a JSON object and is not valid JSON'],
    ['form data', 'cluster=c&request_id=r', 'body must be a JSON object and is not valid JSON'],
    ['a list', '[{"cluster":"c"}]', 'body must be a JSON object'],
    ['null', 'null', 'body must be a JSON object'],
    ['a string', '"{}"', 'body must be a JSON object'],
    ['a number', '1', 'body must be a JSON object'],
    ['no UTF-8', Buffer.from('7b226122 3a22ff22 7d'.replaceAll(' ', ''), 'hex'), 'body must be UTF-8 text'],
    ['30,000 open lists', '['.repeat(30_000), 'body must be a JSON object and is not valid JSON'],
  ];

  it.each(badBodies)('says what is wrong with a body of %s (I8)', async (_what, body, reason) => {
    const before = replica.replicator.highestSeq;
    for (const send of [post, del, delPrompt])
      expect(await send(port, body)).toMatchObject({ code: 40001400, reason });
    const answer = await callJson(port, 'POST', '/log/level', { body });
    expect(answer).toMatchObject({ code: 40001400, reason });
    expect(replica.replicator.highestSeq).toBe(before);
  });

  it('is not upset by 20,000 levels in a field, known or not', async () => {
    const deep = '[{"a":'.repeat(5_000) + '1' + '}]'.repeat(5_000);
    const withField = (name: string): string => `{"${name}":${deep},"cluster":"deep","request_id":"deep"}`;
    expect((await post(port, withField('ip'))).reason).toBe('ip must be an IPv4 address');
    expect((await del(port, withField('unknown'))).code).toBe(0);
  });

  const badQueries: [string, string, string][] = [
    ['no cluster', '', `cluster is required and must be ${text256}`],
    ['another name', '?clusters=c&Cluster=c', `cluster is required and must be ${text256}`],
    ['an empty cluster', '?cluster=', `cluster must be ${text256}`],
    ['a cluster without value', '?cluster', `cluster must be ${text256}`],
    ['too long a cluster', `?cluster=${text(257)}`, `cluster must be ${text256}`],
    ['a repeated cluster', '?cluster=a&cluster=a', 'cluster must be given only once'],
    ['a repeated cluster in disguise', '?cluster=a&x=1&%63luster=b', 'cluster must be given only once'],
    ['half an escape', '?cluster=%e', 'cluster must be percent-encoded UTF-8'],
    ['an escape that is no UTF-8', '?cluster=%ff', 'cluster must be percent-encoded UTF-8'],
  ];

  it.each(badQueries)('says what is wrong with a query of %s', async (_what, query, reason) => {
    const answer = await callJson(port, 'GET', `/v1/load/stats${query}`);
    expect(answer).toMatchObject({ code: 40001400, status: 400, reason });
  });

  it.each(['"VERBOSE"', '""', '1', 'null', '["DEBUG"]', '{"toUpperCase":1}'])(
    'refuses the log level %s',
    async (level) => {
      const answer = await callJson(port, 'POST', '/log/level', { body: `{"LevelParam":${level}}` });
      expect(answer).toMatchObject({ code: 40001400, status: 400 });
      expect(answer.reason).toContain('must be one of TRACE, DEBUG, INFO, WARN, ERROR, FATAL');
    },
  );
});

describe('40401000 unknown route', () => {
  it.each([
    '/nowhere',
    '/v1',
    '/v1/load',
    '/v1/load/stat',
    '/V1/load/stats',
    '/v1/cache/stats',
    '/%zz',
    '//healthz',
    '/../healthz',
  ])('is answered for %s', async (path) => {
    expect(await callJson(port, 'GET', path)).toMatchObject({ code: 40401000, status: 404 });
    expect(await callJson(port, 'POST', path, { body: '{}' })).toMatchObject({ code: 40401000, status: 404 });
  });
});

describe('40501000 wrong method', () => {
  it.each([
    ['PUT', '/v1/load/prompt', 'DELETE, OPTIONS'],
    ['PATCH', '/v1/load/stats', 'GET, POST, PUT, DELETE, HEAD, OPTIONS'],
    ['GET', '/v1/load/prompt', 'DELETE, OPTIONS'],
    ['POST', '/v1/load/prompt', 'DELETE, OPTIONS'],
    ['GET', '/log/level', 'POST, OPTIONS'],
    ['POST', '/metrics', 'GET, HEAD, OPTIONS'],
    ['DELETE', '/healthz', 'GET, HEAD, OPTIONS'],
    ['TRACE', '/readyz', 'GET, HEAD, OPTIONS'],
  ])('is answered to %s %s, with Allow', async (method, path, allow) => {
    const answer = await callJson(port, method, path);
    expect(answer).toMatchObject({ code: 40501000, status: 405, headers: { allow } });
    const options = await callJson(port, 'OPTIONS', path);
    expect(options).toMatchObject({ code: 0, headers: { allow } });
  });

  it('is answered to HEAD where there is no GET', async () => {
    const answer = await call(port, 'HEAD', '/log/level');
    expect(answer).toMatchObject({ status: 405, text: '', headers: { allow: 'POST, OPTIONS' } });
  });
});

describe('41301000 body too large', () => {
  const padded = (bytes: number): string => {
    const head = '{"cluster":"large","request_id":"large","ip":"10.0.0.1","pad":"';
    return `${head}${'x'.repeat(bytes - head.length - 2)}"}`;
  };

  it('is answered beyond 64 KiB, and not before (I7, I8)', async () => {
    const before = replica.replicator.highestSeq;
    for (const send of [post, del, delPrompt]) {
      expect(await send(port, padded(65_537))).toMatchObject({ code: 41301000, status: 413 });
    }
    expect(replica.replicator.highestSeq).toBe(before);
    expect((await post(port, padded(65_536))).code).toBe(0);
    expect(await callJson(port, 'POST', '/log/level', { body: padded(65_537) })).toMatchObject({
      code: 41301000,
    });
  });

  it('is answered to a chunked body, whose length nobody declared', async () => {
    const answer = await callJson(port, 'POST', '/v1/load/stats', {
      body: padded(65_537),
      headers: { 'Transfer-Encoding': 'chunked' },
    });
    expect(answer).toMatchObject({ code: 41301000, status: 413 });
  });
});

describe('50001000 Internal server error', () => {
  const secret = new Error('secret: at /some/path');
  const expectHidden = (answer: JsonAnswer): void => {
    expect(answer).toMatchObject({ code: 50001000, status: 500 });
    expect(answer.text).not.toMatch(/secret|some|Error:|stack/);
    const line = replica.log.find((logged) => logged['trace_id'] === answer.envelope.trace_id);
    expect(line).toMatchObject({
      msg: 'request failed',
      err: { stack: expect.stringContaining('secret') as unknown },
    });
  };

  it('tells the caller nothing but a trace id, under which the log has the stack', async () => {
    jest.spyOn(replica.replicator.loadStats.engines, 'rowsJson').mockImplementationOnce(() => {
      throw secret;
    });
    expectHidden(await callJson(port, 'GET', '/v1/load/stats?cluster=c'));
    jest.spyOn(replica.replicator, 'delete').mockImplementationOnce(() => {
      throw secret;
    });
    expectHidden(await del(port, { request_id: 'r' }));
  });

  it('covers what fails later, in a promise', async () => {
    jest.spyOn(Registry.prototype, 'metrics').mockImplementationOnce(() => Promise.reject(secret));
    expectHidden(await callJson(port, 'GET', '/metrics'));
    expect((await call(port, 'GET', '/metrics')).status).toBe(200);
  });
});
