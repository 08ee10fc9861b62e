/** What all answers share: trace id, content type, envelope; and the routes for operators. */
import { get } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { call, callJson, post, rows } from './client';
import { oneReplica, type Replica, startReplica } from './replica';
import { readyBody, startServer } from './server-fixture';

let replica: Replica;
let port: number;

oneReplica((it) => ({ port } = replica = it));

describe('the trace id', () => {
  it.each([
    '7f3a',
    'a',
    'x'.repeat(256),
    'two words',
    '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    `a"\\{}'<>`,
  ])('is the one that came in: %s', async (traceId) => {
    const headers = { TraceId: traceId };
    expect((await callJson(port, 'GET', '/healthz', { headers })).envelope.trace_id).toBe(traceId);
    expect((await callJson(port, 'GET', '/nowhere', { headers })).envelope.trace_id).toBe(traceId);
    expect((await call(port, 'GET', '/metrics', { headers })).headers['x-trace-id']).toBe(traceId);
  });

  it.each(['', ' ', 'x'.repeat(257), 'é', 'tab\there'])('is made up in place of %j', async (traceId) => {
    const { envelope } = await callJson(port, 'GET', '/healthz', { headers: { TraceId: traceId } });
    expect(envelope.trace_id).toMatch(/^[0-9a-f]{32}$/);
  });

  it('is made up anew for each request that brings none', async () => {
    const answers = await Promise.all(Array.from({ length: 600 }, () => callJson(port, 'GET', '/healthz')));
    expect(new Set(answers.map((answer) => answer.envelope.trace_id)).size).toBe(600);
  });
});

describe('the Content-Type of a request', () => {
  it.each([
    'application/json',
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data',
    'nonsense',
    '',
  ])('is not looked at: %j', async (type) => {
    const body = JSON.stringify({ cluster: 'types', request_id: `type ${type}`, ip: '10.0.0.1' });
    const answer = await callJson(port, 'POST', '/v1/load/stats', {
      body,
      headers: { 'Content-Type': type },
    });
    expect(answer.code).toBe(0);
  });
});

describe('HEAD', () => {
  it('is GET without the body', async () => {
    const head = await call(port, 'HEAD', '/v1/load/stats?cluster=head');
    const get = await call(port, 'GET', '/v1/load/stats?cluster=head');
    expect(head).toMatchObject({ status: 200, text: '' });
    expect(head.headers['content-length']).toBe(get.headers['content-length']);
    expect((await call(port, 'HEAD', '/v1/load/stats')).status).toBe(400);
    expect((await call(port, 'HEAD', '/nowhere')).status).toBe(404);
  });

  it('takes none of the places for snapshots', async () => {
    for (let i = 0; i < 10; i++) {
      expect(await call(port, 'HEAD', '/v1/replica/snapshot')).toMatchObject({ status: 200, text: '' });
    }
    expect((await call(port, 'GET', '/v1/replica/snapshot')).text).toContain('["end",');
  });
});

describe('headers that need not be known', () => {
  it('are not sent', async () => {
    const { headers } = await call(port, 'GET', '/healthz');
    expect(headers).not.toHaveProperty('x-powered-by');
    expect(headers).not.toHaveProperty('etag');
  });
});

describe('/healthz and /readyz', () => {
  it('answer 200 while the process lives and is ready, with the details', async () => {
    expect(await callJson(port, 'GET', '/healthz')).toMatchObject({ status: 200, code: 0 });
    expect(await callJson(port, 'GET', '/readyz')).toMatchObject({
      status: 200,
      envelope: { data: { ready: true } },
    });
  });

  it('tell alive from ready: 503 with the details in data', async () => {
    const body = { ...readyBody, ready: false, reason: 'catching up' };
    const starting = await startServer({ readiness: () => ({ ready: false, reason: body.reason, body }) });
    const answer = await callJson(starting.port, 'GET', '/readyz');
    expect(answer).toMatchObject({ status: 503, code: 50301000, envelope: { data: body } });
    expect(answer.reason).toBe('not ready: catching up');
    expect((await callJson(starting.port, 'GET', '/healthz')).status).toBe(200);
  });
});

describe('/metrics', () => {
  it.each(['gzip', 'deflate, gzip;q=0.5', 'br;q=0, gzip;q=1.0'])(
    'comes compressed where it is asked for by %s',
    async (accepted) => {
      const headers = { 'Accept-Encoding': accepted };
      const answer = await new Promise<{ encoding: unknown; vary: unknown; type: unknown; body: Buffer }>(
        (resolve, reject) => {
          get({ host: '127.0.0.1', port, path: '/metrics', headers, agent: false }, (res) => {
            const chunks: Buffer[] = [];
            res.on('data', (chunk: Buffer) => chunks.push(chunk));
            res.on('end', () =>
              resolve({
                encoding: res.headers['content-encoding'],
                vary: res.headers['vary'],
                type: res.headers['content-type'],
                body: Buffer.concat(chunks),
              }),
            );
          }).on('error', reject);
        },
      );
      expect(answer).toMatchObject({
        encoding: 'gzip',
        vary: 'Accept-Encoding',
        type: 'text/plain; version=0.0.4; charset=utf-8',
      });
      const text = gunzipSync(answer.body).toString();
      expect(text).toContain('\nmetacenter_node_alive 1\n');
      expect(answer.body.length).toBeLessThan(text.length / 3);
    },
  );

  it.each([undefined, 'identity', 'br', 'gzip;q=0', 'gzip; q=0.0, br'])(
    'comes plain where gzip is not asked for: %s',
    async (accepted) => {
      const headers: Record<string, string> = accepted === undefined ? {} : { 'Accept-Encoding': accepted };
      const answer = await call(port, 'GET', '/metrics', { headers });
      expect(answer.headers['content-encoding']).toBeUndefined();
      expect(answer.headers['vary']).toBe('Accept-Encoding');
      expect(answer.text).toContain('\nmetacenter_node_alive 1\n');
    },
  );

  it('says which routes are scrapes and probes, where it counts requests', async () => {
    const { text } = await call(port, 'GET', '/metrics');
    for (const name of ['http_request_status_code_total', 'http_request_duration_us'])
      expect(text).toMatch(
        new RegExp(`^# HELP ${name} .*; /metrics, /healthz, /readyz are scrapes and probes$`, 'm'),
      );
  });

  it('counts answers by route, method and status, and never by what callers choose (I7)', async () => {
    const fresh = await startReplica();
    for (const path of [
      '/secret-path',
      '/v1/load/stats/secret',
      '/v1/load/stats?cluster=secret',
      '/%73ecret',
    ]) {
      await call(fresh.port, 'GET', path);
      await call(fresh.port, 'PROPFIND', path);
    }
    const answer = await call(fresh.port, 'GET', '/metrics');
    expect(answer.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(answer.text).not.toContain('secret');
    const lines = answer.text.split('\n');
    const counter = 'http_request_status_code_total';
    expect(lines).toContain(`${counter}{url="unmatched",method="GET",status_code="404"} 3`);
    expect(lines).toContain(`${counter}{url="unmatched",method="other",status_code="404"} 3`);
    expect(lines).toContain(`${counter}{url="/v1/load/stats",method="other",status_code="405"} 1`);
  });

  it('has the duration in microseconds, with the buckets that dashboards use, cumulated', async () => {
    await rows(port, 'durations');
    const lines = (await call(port, 'GET', '/metrics')).text.split('\n');
    const bucket = (le: string): number => {
      const start = `http_request_duration_us_bucket{le="${le}",method="GET",url="/v1/load/stats"} `;
      return Number(lines.find((line) => line.startsWith(start))!.slice(start.length));
    };
    const bounds = ['500', '1000', '2000', '+Inf'].map(bucket);
    expect([...bounds].sort((a, b) => a - b)).toEqual(bounds);
    const value = (suffix: string): number =>
      Number(
        lines
          .find((line) =>
            line.startsWith(`http_request_duration_us_${suffix}{method="GET",url="/v1/load/stats"}`),
          )
          ?.split(' ')[1],
      );
    expect(value('count')).toBe(bucket('+Inf'));
    expect(value('sum')).toBeGreaterThan(0);
    expect(value('sum')).toBeLessThan(60e6);
  });
});

describe('/log/level', () => {
  const setLevel = async (level: string): Promise<unknown> => {
    const body = JSON.stringify({ LevelParam: level });
    return (await callJson(port, 'POST', '/log/level', { body })).envelope.data;
  };
  const requestLines = (): number => replica.log.filter((line) => line['msg'] === 'request').length;

  it('shows one line per request at debug and none at info, from the next request on', async () => {
    const report = (id: string): Promise<unknown> =>
      post(port, { cluster: 'log', request_id: id, ip: '10.0.0.1' });
    await report('log-1');
    expect(requestLines()).toBe(0);
    expect(await setLevel('DEBUG')).toBe('log level updated successfully');
    const before = requestLines();
    await report('log-2');
    expect(requestLines()).toBe(before + 1);
    expect(replica.log.at(-1)).toMatchObject({
      level: 'debug',
      method: 'POST',
      route: '/v1/load/stats',
      status: 200,
    });
    expect(replica.log.at(-1)).toMatchObject({
      duration_us: expect.any(Number) as unknown,
      trace_id: expect.any(String) as unknown,
    });
    await setLevel('info');
    const after = requestLines();
    await report('log-3');
    expect(requestLines()).toBe(after);
  });

  it('takes every level in any case, and logs a change at info where the old or the new level shows that', async () => {
    const changes = (): unknown[] =>
      replica.log
        .filter((line) => line['msg'] === 'log level changed')
        .map((line) => [line['level'], line['to']]);
    const before = changes().length;
    for (const level of ['TRACE', 'debug', 'Info', 'wARN', 'error', 'INFO']) await setLevel(level);
    expect(
      changes()
        .slice(before)
        .map((change) => (change as unknown[])[0]),
    ).toEqual(['info', 'info', 'info', 'info', 'info']);
    expect(await setLevel('Fatal')).toBe('log level updated successfully');
    await setLevel('INFO');
  });
});
