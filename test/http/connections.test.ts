/** What connections may do to a replica, and what it does about it: bytes that no HTTP client would send, and the stop. */
import { call, callJson, post, RawConnection, rows } from './client';
import { type Replica, startReplica, stopReplicas } from './replica';
import { startServer } from './server-fixture';

let replica: Replica;
let port: number;
let raw: RawConnection;

beforeAll(async () => {
  replica = await startReplica();
  port = replica.port;
});

beforeEach(async () => {
  raw = await RawConnection.open(port);
});

afterEach(() => raw.close());

afterAll(stopReplicas);

const body = (id: string): string => `{"cluster":"conn","request_id":"${id}","ip":"10.0.0.1"}`;
const head = (length: number | string, more = ''): string =>
  `POST /v1/load/stats HTTP/1.1\r\nHost: replica\r\nContent-Length: ${length}\r\n${more}\r\n`;

describe('bodies that come slowly', () => {
  it('are understood byte by byte, split inside a character', async () => {
    const bytes = Buffer.from('{"cluster":"conn-模型","request_id":"slow","ip":"10.0.0.1"}');
    raw.socket.setNoDelay(true);
    raw.send(head(bytes.length));
    for (const byte of bytes) {
      raw.send(Buffer.of(byte));
      await new Promise(setImmediate);
    }
    expect((await raw.answer()).code).toBe(0);
    expect(await rows(port, 'conn-模型')).toHaveLength(1);
  });

  it('are given up after the time limit with 408, and apply nothing (I7, I8)', async () => {
    const impatient = await startServer({
      http: { headersTimeout: 50, requestTimeout: 100, connectionsCheckingInterval: 20 },
    });
    const silent = await RawConnection.open(impatient.port);
    const halfHead = (await RawConnection.open(impatient.port)).send(
      'POST /v1/load/stats HTTP/1.1\r\nHost: x\r\n',
    );
    const halfBody = (await RawConnection.open(impatient.port)).send(head(100) + body('half').slice(0, 20));
    for (const slow of [silent, halfHead, halfBody]) {
      expect(await slow.answer()).toMatchObject({
        status: 408,
        code: 40801000,
        headers: { connection: 'close' },
      });
      await slow.untilClosed();
    }
    expect(impatient.replicator.highestSeq).toBe(0);
  });
});

describe('uploads that break off', () => {
  it.each([
    ['with a length', head(200) + body('broken')],
    [
      'in chunks',
      `POST /v1/load/stats HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n30\r\n${body('broken')}`,
    ],
  ])('apply nothing, %s (I8)', async (_what, bytes) => {
    const before = replica.replicator.highestSeq;
    for (let upload = 0; upload < 10; upload++) {
      const broken = (await RawConnection.open(port)).send(bytes);
      await new Promise(setImmediate);
      if (upload % 2 === 0) broken.close();
      else broken.socket.end();
      await broken.untilClosed();
    }
    expect((await callJson(port, 'GET', '/healthz')).status).toBe(200);
    expect(replica.replicator.highestSeq).toBe(before);
  });
});

describe('a body that is too large', () => {
  it('is refused by its declared length before it is sent', async () => {
    raw.send(head(65_537));
    expect(await raw.answer()).toMatchObject({ status: 413, code: 41301000 });
  });

  it('leaves the connection usable once it has come', async () => {
    raw.send(head(70_000) + 'x'.repeat(70_000));
    expect((await raw.answer()).code).toBe(41301000);
    raw.send(head(body('after-large').length) + body('after-large'));
    expect((await raw.answer()).code).toBe(0);
  });

  it('is read to its end however large it is, so that the caller sees the answer', async () => {
    raw.send(head(20_000_000) + 'x'.repeat(20_000_000));
    expect(await raw.answer()).toMatchObject({ status: 413, code: 41301000 });
    raw.send(head(body('after-huge').length) + body('after-huge'));
    expect((await raw.answer()).code).toBe(0);
  });

  it('is cut off when it does not end within the time of a request (I7)', async () => {
    const hurried = await startServer({
      http: { headersTimeout: 500, requestTimeout: 500, connectionsCheckingInterval: 20 },
    });
    const endless = await RawConnection.open(hurried.port);
    endless.send(head(1e12));
    expect((await endless.answer()).code).toBe(41301000);
    const chunk = Buffer.alloc(64 * 1024);
    while (!endless.closed) {
      await new Promise<void>((resolve) => {
        endless.socket.write(chunk, () => setImmediate(resolve));
      });
    }
    await endless.untilClosed();
  });
});

describe('Expect: 100-continue', () => {
  const expecting = (length: number): string => head(length, 'Expect: 100-continue\r\n');

  it('is answered 100, then the body is read', async () => {
    raw.send(expecting(body('expect').length));
    await raw.until(() => raw.received.includes('\r\n\r\n'));
    expect(raw.received).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    raw.received = '';
    raw.send(body('expect'));
    expect((await raw.answer()).code).toBe(0);
  });

  it('is refused for a body that is too large, before it is sent, and the connection ends', async () => {
    raw.send(expecting(65_537));
    expect(await raw.answer()).toMatchObject({ status: 413, headers: { connection: 'close' } });
    await raw.untilClosed();
  });

  it('is ignored in HTTP/1.0, which knows no interim answers', async () => {
    raw.send(expecting(body('old').length).replace('HTTP/1.1', 'HTTP/1.0') + body('old'));
    expect(await raw.answer()).toMatchObject({ status: 200, code: 0 });
  });

  it('is ignored when it asks for anything else', async () => {
    raw.send(head(body('other').length, 'Expect: miracles\r\n') + body('other'));
    expect((await raw.answer()).code).toBe(0);
  });
});

describe('what is no request', () => {
  it.each([
    ['rubbish', 'rubbish\r\n\r\n', 400, 40001400],
    ['a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400, 40001400],
    ['an unknown method', 'BREW /healthz HTTP/1.1\r\nHost: x\r\n\r\n', 400, 40001400],
    ['a length that is no number', head('ten'), 400, 40001400],
    ['two lengths', head(10, 'Content-Length: 20\r\n'), 400, 40001400],
    ['a length and chunks', head(10, 'Transfer-Encoding: chunked\r\n'), 400, 40001400],
    ['two Host headers', 'GET /healthz HTTP/1.1\r\nHost: a\r\nhOST: a\r\n\r\n', 400, 40001400],
    ['a header with a bare control character', 'GET / HTTP/1.1\r\nHost: x\r\nA: \x01\r\n\r\n', 400, 40001400],
    [
      'headers that are too large',
      `GET / HTTP/1.1\r\nHost: x\r\nA: ${'x'.repeat(20_000)}\r\n\r\n`,
      431,
      43101000,
    ],
    ['a path that is too long', `GET /${'x'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 431, 43101000],
    [
      'a chunk that is none',
      'POST /log/level HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
      400,
      40001400,
    ],
    ['CONNECT', 'CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n', 405, 40501000],
  ])('is answered in the envelope, and the connection ends: %s', async (_what, bytes, status, code) => {
    raw.send(Buffer.from(bytes, 'latin1'));
    expect(await raw.answer()).toMatchObject({ status, code, headers: { connection: 'close' } });
    await raw.untilClosed();
    expect(raw.received).toBe('');
  });

  it('is answered once, however much more of it comes', async () => {
    const fresh = await startServer();
    const rubbish = (await RawConnection.open(fresh.port)).send('rubbish\r\n\r\n');
    await rubbish.answer();
    rubbish.send('more rubbish\r\n\r\n');
    await rubbish.untilClosed();
    expect(rubbish.received).toBe('');
    const metrics = await call(fresh.port, 'GET', '/metrics');
    expect(metrics.text).toContain('{url="unmatched",method="other",status_code="400"} 1\n');
  });

  it.each([
    ['rubbish', 'rubbish\r\n\r\n', 400],
    ['CONNECT', 'CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n', 405],
    [
      'half a body that breaks off',
      'POST /log/level HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz',
      400,
    ],
  ])(
    'is answered after the reports that came before it in one packet (I8): %s',
    async (what, bytes, status) => {
      const ids = ['first', 'second', 'third'].map((which) => `${which} before ${what}`);
      raw.send(ids.map((id) => head(body(id).length, `TraceId: ${id}\r\n`) + body(id)).join('') + bytes);
      for (const id of ids) expect(await raw.answer()).toMatchObject({ code: 0, envelope: { trace_id: id } });
      expect(await raw.answer()).toMatchObject({ status, headers: { connection: 'close' } });
      await raw.untilClosed();
      expect(raw.received).toBe('');
    },
  );

  it('does not delay the end of a connection whose last answer was asked to be the last', async () => {
    raw.send(head(body('last').length, 'Connection: close\r\n') + body('last') + 'rubbish\r\n\r\n');
    expect((await raw.answer()).code).toBe(0);
    await raw.untilClosed();
    expect(raw.received).toBe('');
  });

  it('is refused without a Host header, which HTTP/1.0 does not need', async () => {
    raw.send('GET /healthz HTTP/1.1\r\n\r\n');
    expect(await raw.answer()).toMatchObject({ status: 400, reason: 'the Host header is required' });
    raw.send('GET /healthz HTTP/1.0\r\n\r\n');
    expect((await raw.answer()).status).toBe(200);
  });

  it('does not shut out the next caller: 400 rubbish and silent connections (I7)', async () => {
    const others = await Promise.all(Array.from({ length: 400 }, () => RawConnection.open(port)));
    others.forEach((other, index) => index % 2 === 0 && other.send('\0'.repeat(index)));
    const startedMs = performance.now();
    expect((await callJson(port, 'GET', '/healthz')).status).toBe(200);
    expect(performance.now() - startedMs).toBeLessThan(5_000);
    others.forEach((other) => other.close());
  });
});

describe('one connection', () => {
  it('carries requests sent at once, answered in their order', async () => {
    const ids = Array.from({ length: 20 }, (_, index) => `pipelined-${index}`);
    raw.send(ids.map((id) => head(body(id).length, `TraceId: ${id}\r\n`) + body(id)).join(''));
    for (const id of ids) expect(await raw.answer()).toMatchObject({ code: 0, envelope: { trace_id: id } });
  });

  it('that sends no more gets its answers, to the last one (I8)', async () => {
    const ids = ['half-closed-1', 'half-closed-2'];
    raw.socket.end(ids.map((id) => head(body(id).length) + body(id)).join(''));
    expect([(await raw.answer()).code, (await raw.answer()).code]).toEqual([0, 0]);
    await raw.untilClosed();
  });

  it('stays open when idle for longer than gateways keep one, or for as long as HTTP_KEEP_ALIVE_TIMEOUT says', async () => {
    const hour = await startReplica();
    const second = await startReplica({ HTTP_KEEP_ALIVE_TIMEOUT: '1s' });
    const ask = async ({ port }: Replica): Promise<RawConnection> => {
      const asking = await RawConnection.open(port);
      asking.send('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
      const { headers } = await asking.answer();
      // What clients go by that keep to it, such as Node's own.
      expect(headers['keep-alive']).toBe(port === hour.port ? 'timeout=3900' : 'timeout=1');
      return asking;
    };
    const [kept, short] = [await ask(hour), await ask(second)];
    await short.untilClosed();
    // The clock that would close it: Node adds at most a second of its own.
    const [idle] = [...hour.sockets];
    expect(idle!.timeout).toBeGreaterThanOrEqual(65 * 60_000);
    kept.send('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
    expect((await kept.answer()).status).toBe(200);
  });

  it('is refused beyond the limit of connections (I7)', async () => {
    const small = await startServer({ http: { maxConnections: 2 } });
    const open = [await RawConnection.open(small.port), await RawConnection.open(small.port)];
    await (await RawConnection.open(small.port)).untilClosed();
    for (const connection of open) {
      connection.send('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
      expect((await connection.answer()).status).toBe(200);
    }
  });
});

describe('stop', () => {
  it('answers what was accepted, closes what is idle at once, and takes nothing new', async () => {
    const stopping = await startReplica();
    const idle = await RawConnection.open(stopping.port);
    idle.send('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
    await idle.answer();
    const silent = await RawConnection.open(stopping.port);
    const busy = await RawConnection.open(stopping.port);
    const report = body('while-stopping');
    busy.send(head(report.length) + report.slice(0, 10));
    // By the time of this answer the replica has read what `busy` sent before.
    await post(stopping.port, body('another'));
    const stopped = stopping.stop();
    await Promise.all([idle.untilClosed(), silent.untilClosed()]);
    await expect(RawConnection.open(stopping.port)).rejects.toThrow('ECONNREFUSED');
    busy.send(report.slice(10));
    expect(await busy.answer()).toMatchObject({ code: 0, headers: { connection: 'close' } });
    await busy.untilClosed();
    await stopped;
    expect(stopping.replicator.loadStats.engines.rowsJson('conn')).toContain('"queued_req_num":2');
  });

  it('cuts what does not end in time', async () => {
    const stopping = await startServer();
    const busy = (await RawConnection.open(stopping.port)).send(head(100));
    await callJson(stopping.port, 'GET', '/healthz');
    await stopping.stop(50);
    await busy.untilClosed();
    expect(busy.received).toBe('');
  });

  it('is told when the port is taken', async () => {
    await expect(startServer({ port })).rejects.toThrow('EADDRINUSE');
  });
});
