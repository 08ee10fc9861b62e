/** The stream of one cluster's rows, over real sockets. */
import { spawn, type ChildProcess } from 'node:child_process';
import { EventSource } from 'eventsource';
import { call, callJson, closeConnections, del, post, rows } from '../http/client';
import { type Replica, startReplica, stopReplicas } from '../http/replica';
import { startServer } from '../http/server-fixture';
import { until } from '../support/until';
import { EventReader } from './event-reader';

let replica: Replica;
let port: number;
const readers: EventReader[] = [];
const started: ChildProcess[] = [];

async function start(env: Record<string, string> = {}): Promise<void> {
  replica = await startReplica(env);
  port = replica.port;
}

afterEach(async () => {
  for (const reader of readers.splice(0)) reader.close();
  for (const child of started.splice(0)) child.kill();
  await stopReplicas();
});

async function watch(query = 'cluster=c&interval_ms=20'): Promise<EventReader> {
  const reader = await EventReader.open(port, `/v1/load/watch?${query}`);
  readers.push(reader);
  return reader;
}

let ids = 0;
const report = (ip: string, prompt_length = 1, cluster = 'c'): Promise<unknown> =>
  post(port, { cluster, ip, prompt_length, request_id: `id-${++ids}` });

const untilEvents = (reader: EventReader, count: number): Promise<unknown> =>
  until(() => reader.events.length >= count, { describe: () => `event ${count} of ${reader.events.length}` });

/** The reader has, row by row and to the last digit, what a query answers. */
const untilUpToDate = (reader: EventReader): Promise<unknown> =>
  until(async () => JSON.stringify(reader.sortedRows) === JSON.stringify(await rows(port, 'c')), {
    describe: () => `the reader has the rows: ${JSON.stringify(reader.sortedRows).slice(0, 300)}`,
  });

describe('GET /v1/load/watch', () => {
  it('sends the rows first, then only those that changed', async () => {
    await start();
    await report('10.0.0.2');
    await report('10.0.0.1');
    const reader = await watch();
    await untilEvents(reader, 1);
    expect(reader.response.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-trace-id': expect.any(String) as unknown,
    });
    expect(reader.retryMs).toBe(1_000);
    expect(reader.events[0]).toMatchObject({
      name: 'rows',
      data: { rows: await rows(port, 'c'), removed: [] },
    });
    await report('10.0.0.2', 5);
    await untilEvents(reader, 2);
    expect(reader.events[1]).toMatchObject({
      name: 'changes',
      data: { rows: [{ ip: '10.0.0.2', queued_req_num: 2, prompt_length: 6 }], removed: [] },
    });
    await del(port, { request_id: `id-${ids}` });
    await untilUpToDate(reader);
  });

  it('allows a cluster that nobody has reported yet: its rows may come', async () => {
    await start();
    const reader = await watch();
    await untilEvents(reader, 1);
    expect(reader.events[0]).toMatchObject({ name: 'rows', data: { rows: [], removed: [] } });
    await report('10.0.0.1', 1, 'another');
    await report('10.0.0.1');
    await untilUpToDate(reader);
    expect(reader.events).toHaveLength(2);
  });

  it('tells which rows left', async () => {
    await start({ METADATA_CENTER_LOAD_REQ_EXPIRE: '500ms', METADATA_CENTER_LOAD_GC_INTERVAL: '50ms' });
    const reader = await watch();
    await untilEvents(reader, 1);
    await report('10.0.0.1');
    await until(
      () => reader.events.some(({ data }) => (data as { removed: string[] }).removed.includes('10.0.0.1')),
      { describe: 'the removal is sent' },
    );
    expect(reader.rows.size).toBe(0);
    const before = reader.events.length;
    await report('10.0.0.1');
    await untilEvents(reader, before + 1);
    expect(reader.events[before]).toMatchObject({ data: { rows: [{ ip: '10.0.0.1' }], removed: [] } });
  });

  it('coalesces to one message per interval, however many reports come', async () => {
    await start();
    const reader = await watch('cluster=c&interval_ms=200');
    const startedMs = performance.now();
    for (let i = 0; i < 500; i++) await report(`10.0.0.${i % 4}`);
    await untilUpToDate(reader);
    const intervals = (performance.now() - startedMs) / 200;
    expect(reader.events.length).toBeLessThanOrEqual(intervals + 2);
  });

  it('gives every event an id that rises, and sends the rows anew to who comes back', async () => {
    await start();
    await report('10.0.0.1');
    const first = await watch();
    await untilEvents(first, 1);
    await report('10.0.0.1');
    await untilEvents(first, 2);
    const numbers = first.events.map(({ id }) => Number(/^\S+:(\d+)$/.exec(id)![1]));
    expect(numbers[1]).toBeGreaterThan(numbers[0]!);
    first.close();
    await report('10.0.0.2');
    const again = await EventReader.open(port, '/v1/load/watch?cluster=c', {
      'Last-Event-ID': first.events[1]!.id,
    });
    readers.push(again);
    await untilUpToDate(again);
    expect(again.events[0]).toMatchObject({ name: 'rows' });
    expect(again.rows.size).toBe(2);
  });

  it('sends a comment as a heartbeat where there is nothing else to say', async () => {
    replica = await startServer({ keepAliveMs: 50 });
    port = replica.port;
    const reader = await watch();
    await until(() => reader.comments.length >= 3, { describe: 'three heartbeats' });
    expect(reader.events).toHaveLength(1);
  });

  it('sends several clusters in one stream, and says with each event whose rows it has', async () => {
    await start();
    await report('10.0.0.1', 1, 'a');
    await report('10.0.0.2', 2, 'b "x"');
    const reader = await watch(`cluster=a&cluster=${encodeURIComponent('b "x"')}&cluster=c&cluster=a`);
    await untilEvents(reader, 3);
    const data = (i: number): unknown => reader.events[i]!.data;
    expect(reader.events.map(({ name }) => name)).toEqual(['rows', 'rows', 'rows']);
    expect(data(0)).toEqual({ cluster: 'a', rows: await rows(port, 'a'), removed: [] });
    expect(data(1)).toEqual({ cluster: 'b "x"', rows: await rows(port, 'b "x"'), removed: [] });
    expect(data(2)).toEqual({ cluster: 'c', rows: [], removed: [] });
    await report('10.0.0.3', 3, 'c');
    await untilEvents(reader, 4);
    expect(reader.events[3]).toMatchObject({
      name: 'changes',
      data: { cluster: 'c', rows: [{ ip: '10.0.0.3', queued_req_num: 1, prompt_length: 3 }] },
    });
    const ids = reader.events.map(({ id }) => Number(id.split(':')[1]));
    expect(new Set(ids).size).toBe(4);
    const alone = await watch('cluster=c');
    await untilEvents(alone, 1);
    expect(Object.keys(alone.events[0]!.data as object)).toEqual(['rows', 'removed']);
    expect(replica.watchers.count).toBe(2);
  });

  it.each([
    ['', 'cluster is required and must be given 1 to 64 times'],
    ['cluster=a&cluster=', 'cluster must be given 1 to 64 times'],
    [Array.from({ length: 65 }, (_, i) => `cluster=${i}`).join('&'), 'cluster must be given 1 to 64 times'],
    ['cluster=', 'cluster must be'],
    ['cluster=c&interval_ms=19', 'interval_ms must be an integer from 20 to 10000'],
    ['cluster=c&interval_ms=10001', 'interval_ms must be'],
    ['cluster=c&interval_ms=1e2', 'interval_ms must be'],
    ['cluster=c&interval_ms=', 'interval_ms must be'],
    ['cluster=c&interval_ms=50&interval_ms=60', 'interval_ms must be given only once'],
  ])('refuses ?%s (I8)', async (query, reason) => {
    await start();
    const answer = await callJson(port, 'GET', `/v1/load/watch?${query}`);
    expect(answer.code).toBe(40001400);
    expect(answer.reason).toContain(reason);
    expect(replica.watchers.count).toBe(0);
  });

  it('answers HEAD without a stream, and 405 to other methods', async () => {
    await start();
    expect(await call(port, 'HEAD', '/v1/load/watch?cluster=c')).toMatchObject({ status: 200, text: '' });
    expect((await callJson(port, 'POST', '/v1/load/watch?cluster=c')).code).toBe(40501000);
    expect(replica.watchers.count).toBe(0);
  });
});

describe('many watchers (I7)', () => {
  it('beyond the limit are answered 503 and counted, and let in again when one has left', async () => {
    await start({ METADATA_CENTER_MAX_WATCHERS: '2' });
    const first = await watch();
    await watch();
    const refused = await callJson(port, 'GET', '/v1/load/watch?cluster=c');
    expect(refused).toMatchObject({ status: 503, code: 50301000 });
    expect(refused.headers['retry-after']).toBe('1');
    expect(replica.watchers.counts.refused).toBe(1);
    first.close();
    await until(() => replica.watchers.count === 1, { describe: 'the replica sees the end' });
    await untilEvents(await watch(), 1);
  });

  it('500 of them all end with the same rows, with one look at the rows a tick', async () => {
    await start();
    const many = await Promise.all(Array.from({ length: 500 }, () => watch('cluster=c&interval_ms=100')));
    expect(replica.watchers.count).toBe(500);
    for (let i = 0; i < 300; i++) await report(`10.0.0.${i % 50}`);
    for (const reader of many) await untilUpToDate(reader);
    for (const reader of many) reader.close();
    await until(() => replica.watchers.count === 0, { describe: 'all have left' });
  });
});

describe('a reader that stops reading (I7)', () => {
  it('costs no more than one message, and gets the latest state when it reads again', async () => {
    await start();
    const engines = Array.from({ length: 2_000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
    const changeAll = (round: number): void => {
      for (const ip of engines) {
        const requestId = `${round >> 1} ${ip}`;
        const report = { cluster: 'c', ip, requestId, promptLength: 1, timestampNs: undefined };
        if (round % 2 === 0) replica.replicator.add(report);
        else replica.replicator.delete(requestId);
      }
    };
    changeAll(0);
    const stalled = await watch();
    const keepsUp = await watch();
    await untilUpToDate(stalled);
    stalled.pause();
    const before = stalled.events.length;
    // Far more than the buffers of both ends of a connection take: what follows must have been left out.
    for (let round = 1; round <= 80; round++) {
      const seen = keepsUp.events.length;
      changeAll(round);
      await untilEvents(keepsUp, seen + 1);
    }
    await untilUpToDate(keepsUp);
    stalled.resume();
    await untilUpToDate(stalled);
    expect(stalled.events.length - before).toBeLessThan(60);
  });
});

describe('the end of the replica', () => {
  it('ends the streams at once, so that it does not wait for them', async () => {
    await start();
    const reader = await watch();
    await untilEvents(reader, 1);
    const startedMs = performance.now();
    await replica.stop();
    expect(performance.now() - startedMs).toBeLessThan(5_000);
    await until(() => reader.ended, { describe: 'the stream ends' });
  });
});

describe('ordinary clients', () => {
  it('an EventSource gets the rows and the changes, and comes back to a replica that was away', async () => {
    await start();
    await report('10.0.0.1');
    const source = new EventSource(`http://127.0.0.1:${port}/v1/load/watch?cluster=c&interval_ms=20`);
    const names: string[] = [];
    for (const name of ['rows', 'changes']) source.addEventListener(name, () => names.push(name));
    try {
      await until(() => names.length === 1, { describe: 'the rows' });
      await report('10.0.0.1');
      await until(() => names.length === 2, { describe: 'the changes' });
      expect(names).toEqual(['rows', 'changes']);
      await replica.stop();
      closeConnections();
      await start({ HTTP_PORT: String(port) });
      await until(() => names.length === 3, { describe: 'the rows again' });
      expect(names[2]).toBe('rows');
    } finally {
      source.close();
    }
  });

  it('curl prints the events as they come', async () => {
    await start();
    const curl = spawn('curl', ['-sN', `http://127.0.0.1:${port}/v1/load/watch?cluster=c&interval_ms=20`]);
    started.push(curl);
    let output = '';
    curl.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    await until(() => output.includes('event: rows'), { describe: () => output });
    await report('10.0.0.1');
    await until(() => output.includes('event: changes'), { describe: () => output });
    expect(output).toContain('retry: 1000\n\nevent: rows\nid: ');
  });
});

describe('GET /v1/overview/watch', () => {
  it('sends the replica, all clusters with their sums, and what changes', async () => {
    await start();
    await report('10.0.0.1', 3, 'a');
    const reader = await EventReader.open(port, '/v1/overview/watch?interval_ms=20');
    readers.push(reader);
    await untilEvents(reader, 3);
    expect(reader.events[0]).toMatchObject({
      name: 'replica',
      data: { missing_events: 0, totals: { events_own: 1 } },
    });
    expect(reader.events[1]).toMatchObject({ name: 'recent', data: { sample_ms: 5_000 } });
    expect(reader.events[2]).toMatchObject({ name: 'rows' });
    const sums = async (): Promise<unknown> => (await callJson(port, 'GET', '/v1/clusters')).envelope.data;
    expect((reader.events[2]!.data as { rows: unknown }).rows).toEqual(await sums());
    await report('10.0.0.2', 4, 'b');
    const changes = await until(() => reader.events.find(({ name }) => name === 'changes'), {
      describe: 'the change is sent',
    });
    expect(changes.data).toMatchObject({ rows: [{ cluster: 'b', engines: 1 }] });
  });
});
