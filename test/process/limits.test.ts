/** Every limit reached on a real replica, over HTTP and over the bus: a clear error or a counted drop, and room again later. */
import { connect, type NatsConnection } from 'nats';
import { encodeEvent } from '../../src/wire/event-codec';
import { subjectOf } from '../../src/wire/subjects';
import { call, callJson, del, delPrompt, post } from '../http/client';
import { CleanUp } from '../support/clean-up';
import { NatsServerProcess } from '../support/nats-server';
import { ReplicaProcess } from '../support/replica-process';
import { until } from '../support/until';

const MAX_IN_FLIGHT = 10;
const MAX_ENGINES = 5;

let nats: NatsServerProcess;
let client: NatsConnection;
let port: number;
let seq = 0;

const atEnd = new CleanUp();
const cleanUp = new CleanUp();

beforeAll(async () => {
  nats = await atEnd.use(NatsServerProcess.start(), (it) => it.stop());
  client = await atEnd.use(connect({ servers: nats.url }), (it) => it.close());
});

afterAll(() => atEnd.run());

afterEach(() => cleanUp.run());

async function start(expireAfterS = 4): Promise<void> {
  const env = {
    NATS_URL: nats.url,
    NATS_HISTORY: 'off',
    METADATA_CENTER_MAX_IN_FLIGHT: String(MAX_IN_FLIGHT),
    METADATA_CENTER_MAX_ENGINES: String(MAX_ENGINES),
    METADATA_CENTER_LOAD_REQ_EXPIRE: `${expireAfterS}s`,
    METADATA_CENTER_FINISHED_RETENTION: '1s',
    METADATA_CENTER_LOAD_GC_INTERVAL: '100ms',
  };
  ({ port } = await cleanUp.use(ReplicaProcess.start({ env }), (it) => it.kill()));
}

async function metric(series: string): Promise<number> {
  const { text } = await call(port, 'GET', '/metrics');
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  return line === undefined ? 0 : Number(line.slice(series.length + 1));
}

const use = (limit: string): Promise<number> => metric(`metacenter_limit_use{limit="${limit}"}`);
const most = (limit: string): Promise<number> => metric(`metacenter_limit{limit="${limit}"}`);
const dropped = (reason: string): Promise<number> =>
  metric(`metacenter_events_dropped_total{reason="${reason}"}`);
const report = (id: string, ip = '10.0.0.1'): object => ({ cluster: 'limits', request_id: id, ip });

function publish(type: 'add' | 'delete' | 'prompt-delete', requestId: string, ip = '10.0.0.1'): void {
  const base = { origin: 'forger', seq: ++seq, timeUs: Date.now() * 1000, requestId };
  const event =
    type === 'add'
      ? { type, ...base, cluster: 'limits', ip, promptLength: 1, timestampNs: undefined }
      : { type, ...base };
  client.publish(subjectOf('metadata-center', type), encodeEvent(event));
}

async function becomes(read: () => Promise<number>, value: number, what: string): Promise<void> {
  let last = NaN;
  await until(async () => (last = await read()) === value, {
    timeoutMs: 30_000,
    describe: () => `${what} is ${value}, not ${last}`,
  });
}

it('I7: in-flight requests: adds over HTTP stop at the limit, deletes go on, and there is room again', async () => {
  await start();
  for (let i = 0; i < MAX_IN_FLIGHT; i++) expect((await post(port, report(`r${i}`))).code).toBe(0);
  const refused = await post(port, report('one-more'));
  expect(refused).toMatchObject({ status: 503, code: 50301000 });
  expect(refused.reason).toContain('METADATA_CENTER_MAX_IN_FLIGHT');
  expect([await use('in_flight'), await most('in_flight')]).toEqual([MAX_IN_FLIGHT, MAX_IN_FLIGHT]);
  expect((await delPrompt(port, { request_id: 'r0' })).code).toBe(0);
  expect((await del(port, { request_id: 'r0' })).code).toBe(0);
  expect((await post(port, report('one-more'))).code).toBe(0);
  await becomes(() => use('in_flight'), 0, 'what is in flight, expired,');
});

it('I7: in-flight requests: the bus is followed up to twice the limit, and the rest is counted', async () => {
  await start();
  for (let i = 0; i < 100; i++) publish('add', `forged-${i}`);
  await becomes(() => dropped('in-flight-ceiling'), 80, 'dropped adds');
  expect([await use('in_flight_ceiling'), await most('in_flight_ceiling')]).toEqual([20, 20]);
  expect((await post(port, report('mine'))).code).toBe(50301000);
  await becomes(() => use('in_flight_ceiling'), 0, 'what is in flight, expired,');
});

it('I7: engines: over HTTP up to the limit, over the bus up to twice that; known engines go on', async () => {
  await start();
  for (let i = 0; i < MAX_ENGINES; i++)
    expect((await post(port, report(`e${i}`, `10.0.1.${i}`))).code).toBe(0);
  const refused = await post(port, report('new-engine', '10.0.2.1'));
  expect(refused).toMatchObject({ status: 503, code: 50301000 });
  expect(refused.reason).toContain('METADATA_CENTER_MAX_ENGINES');
  // Whatever changes its name all the time finds no room, and is seen to.
  for (let i = 0; i < 50; i++) {
    const renamed = { cluster: `renamed-${i}`, request_id: `renamed-${i}`, ip: `10.7.0.${i}` };
    expect((await post(port, renamed)).code).toBe(50301000);
  }
  const { data } = (await callJson(port, 'GET', '/readyz')).envelope;
  expect(data).toMatchObject({ degraded: true, reason: 'limit reached: engines' });
  expect(await metric('metacenter_limit_refused_total{limit="engines"}')).toBe(51);
  expect((await post(port, report('known-engine', '10.0.1.0'))).code).toBe(0);
  for (let i = 0; i < 50; i++) {
    publish('add', `forged-${i}`, `10.0.3.${i}`);
    publish('delete', `forged-${i}`);
  }
  await becomes(() => use('engines_ceiling'), 2 * MAX_ENGINES, 'engines');
  await becomes(() => dropped('engine-ceiling'), 45, 'dropped adds');
  expect(await most('engines')).toBe(MAX_ENGINES);
});

it.each(['delete', 'prompt-delete'] as const)(
  'I7: a %s of an unknown id waits for its add up to a ceiling, over HTTP and over the bus',
  async (type) => {
    await start();
    const send = type === 'delete' ? del : delPrompt;
    for (let i = 0; i < 15; i++) expect((await send(port, { request_id: `unknown-${i}` })).code).toBe(0);
    for (let i = 0; i < 100; i++) publish(type, `forged-${i}`);
    await becomes(() => dropped('finished-ceiling'), 95, 'dropped deletions');
    expect([await use('deletes_waiting'), await most('deletes_waiting')]).toEqual([20, 20]);
    expect(await send(port, { request_id: 'another' })).toMatchObject({ status: 503, code: 50301000 });
    expect((await post(port, report('live'))).code).toBe(0);
    expect((await send(port, { request_id: 'live' })).code).toBe(0);
    await becomes(() => use('deletes_waiting'), 0, 'what waits, expired,');
    expect((await send(port, { request_id: 'another' })).code).toBe(0);
  },
);

it('I2 I7: far more requests can be finished than be in flight; they are remembered, and forgotten in time', async () => {
  // Long enough for a busy machine to send all of them before the first is forgotten.
  await start(15);
  const ceiling = await most('finished');
  // However few may be in flight at a time: they may be short.
  expect(ceiling).toBe(100_000);
  for (let i = 0; i < 20 * MAX_IN_FLIGHT; i++) {
    expect((await post(port, report(`f${i}`))).code).toBe(0);
    expect((await del(port, { request_id: `f${i}` })).code).toBe(0);
  }
  expect(await use('finished')).toBe(20 * MAX_IN_FLIGHT);
  await becomes(() => use('finished'), 0, 'what is remembered, expired,');
});

it('the connections in use are counted', async () => {
  await start();
  expect((await callJson(port, 'GET', '/healthz')).code).toBe(0);
  expect(await use('connections')).toBeGreaterThan(0);
  expect(await most('connections')).toBe(10_000);
});
