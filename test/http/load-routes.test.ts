import { del, delPrompt, post, RawConnection, rows } from './client';
import { oneReplica } from './replica';

let port: number;

oneReplica((it) => ({ port } = it));

const add = { cluster: 'c', request_id: 'r', ip: '10.0.0.1' };

describe('the life of a request over HTTP', () => {
  it('counts in its row until it is deleted, its prompt until the prompt is deleted (I2, I5)', async () => {
    const body = { cluster: 'life', request_id: 'life-1', ip: '10.0.0.7', prompt_length: 512 };
    const startedNs = Date.now() * 1e6;
    expect((await post(port, body)).envelope).toMatchObject({ status: 'OK', error: null, data: null });
    const [row] = await rows(port, 'life');
    expect(row).toMatchObject({ ip: '10.0.0.7', queued_req_num: 1, prompt_length: 512 });
    expect(Object.keys(row!)).toEqual([
      'ip',
      'queued_req_num',
      'prompt_length',
      'prefill_req_num',
      'updated_time',
    ]);
    expect(Number.isInteger(row!.updated_time)).toBe(true);
    expect(Math.abs(row!.updated_time - startedNs)).toBeLessThan(60e9);
    expect((await delPrompt(port, { request_id: 'life-1' })).code).toBe(0);
    expect(await rows(port, 'life')).toMatchObject([{ queued_req_num: 1, prompt_length: 0 }]);
    expect((await del(port, { request_id: 'life-1' })).code).toBe(0);
    expect(await rows(port, 'life')).toMatchObject([{ ip: '10.0.0.7', queued_req_num: 0, prompt_length: 0 }]);
  });

  it('answers rows in ascending order of address, and none for an unknown cluster', async () => {
    for (const ip of ['10.0.0.10', '9.255.255.255', '10.0.0.9', '200.0.0.1'])
      await post(port, { cluster: 'order', request_id: `order-${ip}`, ip });
    const ips = (await rows(port, 'order')).map((row) => row.ip);
    expect(ips).toEqual(['9.255.255.255', '10.0.0.9', '10.0.0.10', '200.0.0.1']);
    expect(await rows(port, 'nobody-has-reported-this')).toEqual([]);
  });

  it('takes the prompt off with the delete when no prompt-delete came', async () => {
    await post(port, { cluster: 'whole', request_id: 'whole-1', ip: '10.0.0.1', prompt_length: 9 });
    await del(port, { request_id: 'whole-1' });
    expect(await rows(port, 'whole')).toMatchObject([{ queued_req_num: 0, prompt_length: 0 }]);
  });

  // Pairs that were one request to every replica while ids were known by 64 bits that can be solved.
  it('takes no two different ids for one (I19)', async () => {
    const ids = ['req-CQuz1AA', 'req-7gc4bAO', 'req-rc3p1AA', 'req-UEiTMAr'];
    const report = (request_id: string): object => ({
      cluster: 'pairs',
      request_id,
      ip: '10.0.0.1',
      prompt_length: 5,
    });
    for (const id of ids) expect((await post(port, report(id))).code).toBe(0);
    expect(await rows(port, 'pairs')).toMatchObject([{ queued_req_num: 4, prompt_length: 20 }]);
    for (const left of [3, 2, 1, 0]) {
      expect((await del(port, { request_id: ids[left] })).code).toBe(0);
      expect(await rows(port, 'pairs')).toMatchObject([{ queued_req_num: left, prompt_length: 5 * left }]);
    }
  });

  it('honours a delete that overtakes its report', async () => {
    expect((await del(port, { request_id: 'early' })).code).toBe(0);
    expect((await del(port, { request_id: 'early' })).code).toBe(40001404);
    expect((await post(port, { ...add, cluster: 'early', request_id: 'early' })).code).toBe(0);
    expect(await rows(port, 'early')).toMatchObject([{ queued_req_num: 0, prompt_length: 0 }]);
  });

  it('answers a resend with the same timestamp again, to the last of its 19 digits', async () => {
    const body = (timestamp: string): string =>
      `{"cluster":"resend","request_id":"resend","ip":"10.0.0.1","timestamp":${timestamp}}`;
    expect((await post(port, body('1758350000000000001'))).code).toBe(0);
    expect((await post(port, body('1758350000000000001'))).code).toBe(0);
    expect((await post(port, body('1758350000000000002'))).code).toBe(40001000);
    expect(await rows(port, 'resend')).toMatchObject([{ queued_req_num: 1 }]);
  });

  it('lets an absent timestamp match nothing', async () => {
    const body = { ...add, cluster: 'absent', request_id: 'absent' };
    expect((await post(port, body)).code).toBe(0);
    expect((await post(port, body)).code).toBe(40001000);
    expect((await post(port, { ...body, timestamp: null })).code).toBe(40001000);
  });
});

describe('what a report may hold', () => {
  it.each([
    ['the longest names', { cluster: 'c'.repeat(256), request_id: 'r'.repeat(256) }],
    ['names in any script', { cluster: '模型-🙂', request_id: 'é\u0000\n"\\' }],
    ['the largest prompt', { cluster: 'largest', request_id: 'largest', prompt_length: 2147483647 }],
    [
      'a null for what is optional',
      { cluster: 'nulls', request_id: 'nulls', prompt_length: null, timestamp: null },
    ],
    ['a timestamp of 0', { cluster: 'zero', request_id: 'zero', timestamp: 0 }],
    ['fields that nobody knows', { cluster: 'more', request_id: 'more', more: [{ a: 1 }], LevelParam: 1 }],
  ])('accepts %s', async (_what, fields) => {
    const body = { ip: '255.255.255.255', ...fields };
    expect((await post(port, body)).reason).toBe('');
    expect(await rows(port, fields.cluster)).toMatchObject([{ queued_req_num: 1 }]);
    expect((await del(port, { request_id: fields.request_id })).reason).toBe('');
    expect(await rows(port, fields.cluster)).toMatchObject([{ queued_req_num: 0 }]);
  });

  it('takes the largest timestamp exactly', async () => {
    const body = (timestamp: string): string =>
      `{"timestamp" : ${timestamp} ,"cluster":"max","request_id":"max","ip":"10.0.0.1"}`;
    expect((await post(port, body('9223372036854775807'))).code).toBe(0);
    expect((await post(port, body('9223372036854775806'))).code).toBe(40001000);
    expect((await post(port, body('9223372036854775807'))).code).toBe(0);
  });

  it.each(['__proto__', 'constructor', 'toString'])(
    'is not confused by a member or an id named %s (I8)',
    async (name) => {
      const body = `{"${name}":{"cluster":"p","ip":"x"},"cluster":"${name}","request_id":"${name}","ip":"10.0.0.1"}`;
      expect((await post(port, body)).code).toBe(0);
      expect(await rows(port, name)).toMatchObject([{ queued_req_num: 1 }]);
      expect((await post(port, `{"${name}":{"cluster":"p","request_id":"p","ip":"10.0.0.1"}}`)).code).toBe(
        40001400,
      );
      expect(await rows(port, 'p')).toEqual([]);
      expect(({} as Record<string, unknown>)['cluster']).toBeUndefined();
    },
  );

  it('accepts in a delete what gateways put there, and looks only at the request_id', async () => {
    await post(port, { cluster: 'loose', request_id: 'loose', ip: '10.0.0.1', prompt_length: 5 });
    const others = { cluster: 'another', ip: '10.9.9.9', prompt_length: 77 };
    expect((await delPrompt(port, { request_id: 'loose', ...others })).code).toBe(0);
    expect(
      (await del(port, { request_id: 'loose', cluster: null, ip: null, prompt_length: null })).code,
    ).toBe(0);
    expect(await rows(port, 'loose')).toMatchObject([{ queued_req_num: 0, prompt_length: 0 }]);
  });
});

describe('the query string', () => {
  it('is decoded as gateways encode it', async () => {
    const cluster = 'a b+c/d?e&f=g%h é🙂';
    await post(port, { cluster, request_id: 'query', ip: '10.0.0.1' });
    expect(await rows(port, cluster)).toHaveLength(1);
    const raw = await RawConnection.open(port);
    raw.send(
      `GET /v1/load/stats?x=1&cluster=${new URLSearchParams({ c: cluster }).toString().slice(2)}&y HTTP/1.1\r\n`,
    );
    raw.send('Host: replica\r\n\r\n');
    expect((await raw.answer()).envelope.data).toHaveLength(1);
    raw.close();
  });
});

describe('the exact bytes of the gateway in use', () => {
  it('are understood: no Content-Type, an empty TraceId, empty strings in the delete', async () => {
    const raw = await RawConnection.open(port);
    const send = (method: string, path: string, body: string): void => {
      raw.send(
        `${method} ${path} HTTP/1.1\r\nHost: metadata-center:8080\r\nUser-Agent: Go-http-client/1.1\r\n` +
          `Content-Length: ${body.length}\r\nTraceId: \r\nAccept-Encoding: gzip\r\n\r\n${body}`,
      );
    };
    const added =
      '{"cluster":"gw","request_id":"7d0c5b","prompt_length":128,"ip":"10.1.2.3","timestamp":1758350123456789012}';
    send('POST', '/v1/load/stats', added);
    expect(await raw.answer()).toMatchObject({ status: 200, code: 0 });
    send('POST', '/v1/load/stats', added);
    expect(await raw.answer()).toMatchObject({ status: 200, code: 0 });
    expect(await rows(port, 'gw')).toMatchObject([{ ip: '10.1.2.3', queued_req_num: 1, prompt_length: 128 }]);
    send('DELETE', '/v1/load/prompt', '{"request_id":"7d0c5b","cluster":"","ip":""}');
    expect(await raw.answer()).toMatchObject({ status: 200, code: 0 });
    send('DELETE', '/v1/load/stats', '{"request_id":"7d0c5b","cluster":"","ip":""}');
    const answer = await raw.answer();
    expect(answer).toMatchObject({ status: 200, code: 0 });
    expect(answer.envelope.trace_id).toMatch(/^[0-9a-f]{32}$/);
    expect(await rows(port, 'gw')).toMatchObject([{ queued_req_num: 0, prompt_length: 0 }]);
    raw.close();
  });
});
