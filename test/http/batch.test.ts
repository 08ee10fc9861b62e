/** `POST /v1/load/batch`: each event as if it had been sent alone (I18); only the frame has errors of its own. */
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import type { Bus } from '../../src/bus/bus';
import { ApiError } from '../../src/http/errors';
import { loadBatch } from '../../src/http/load-batch';
import { loadReports } from '../../src/http/load-reports';
import { jsonBody } from '../../src/http/json-body';
import { stateOf } from '../core/view-inspection';
import { equal } from '../support/same';
import { runs } from '../support/size';
import { call, callJson, del, type JsonAnswer, post, rows } from './client';
import { type Replica, startReplica, stopReplicas } from './replica';
import { scratchReplicator, startServer } from './server-fixture';

let replica: Replica;
let port: number;

beforeAll(async () => {
  replica = await startReplica();
  port = replica.port;
});

afterAll(stopReplicas);

const sendTo = (at: number, body: string | Buffer): Promise<JsonAnswer> =>
  callJson(at, 'POST', '/v1/load/batch', { body });
const send = (events: readonly unknown[], at = port): Promise<JsonAnswer> =>
  sendTo(at, JSON.stringify({ events }));
const id = (): string => randomBytes(9).toString('base64url');
const add = (fields: object = {}): object => ({
  op: 'add',
  cluster: 'm',
  request_id: id(),
  ip: '10.0.0.1',
  ...fields,
});

/** Takes everything, and keeps it. */
class RecordingBus implements Bus {
  readonly connected = true;
  readonly reason = 'under test';
  readonly alone = false;
  readonly sent: string[] = [];
  start(): void {
    // Nothing to connect to.
  }
  publish(subject: string, payload: Uint8Array): boolean {
    this.sent.push(`${subject} ${Buffer.from(payload).toString()}`);
    return true;
  }
  whenWritten(callback: () => void): void {
    callback();
  }
  stop(): Promise<void> {
    return Promise.resolve();
  }
}

interface Circumstances {
  readonly stepUs: number;
  readonly copyPolicy: 'accept' | 'reject';
  readonly maxInFlight: number;
  readonly maxEngines: number;
}

function sideOf({ stepUs, copyPolicy, maxInFlight, maxEngines }: Circumstances) {
  const bus = new RecordingBus();
  let nowUs = 1_700_000_000_000_000;
  const replicator = scratchReplicator({ bus, nowUs: () => (nowUs += stepUs), maxInFlight, maxEngines });
  const reports = loadReports({ replicator, copyPolicy });
  return { bus, reports, state: () => stateOf(replicator.loadStats) };
}

/** Few of everything, so that copies, deletes before their adds and moves are frequent. */
const ids = fc.constantFrom('a', 'b', 'c', 'd');
const clusters = fc.constantFrom('m', 'n');
const ips = fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.3');
const timestamps = fc.constantFrom('1758350000000000001', '1758350000000000002', 'null', '1e3', '-1');
const adds = fc
  .tuple(clusters, ids, ips, fc.nat({ max: 9 }), timestamps)
  .map(
    ([cluster, requestId, ip, length, timestamp]) =>
      `{"op":"add","cluster":"${cluster}","request_id":"${requestId}","ip":"${ip}","prompt_length":${length},"timestamp":${timestamp},"owner":"${length % 2 === 0 ? 'g1' : ''}"}`,
  );
const deletions = fc
  .tuple(fc.constantFrom('delete', 'prompt-delete'), ids)
  .map(([op, requestId]) => `{ "request_id" : "${requestId}", "op":"${op}" , "x":[{"request_id":0}]}`);
const refreshes = fc
  .tuple(ids, fc.constantFrom('', ',"cluster":"m","ip":"10.0.0.1"', ',"cluster":"","ip":"","owner":"g1"'))
  .map(([requestId, place]) => `{"op":"refresh","request_id":"${requestId}"${place}}`);
const leases = fc
  .tuple(fc.constantFrom('g1', 'g2'), fc.constantFrom('', ',"ttl_ms":3000', ',"ttl_ms":1'))
  .map(([owner, ttl]) => `{"op":"owner","owner":"${owner}"${ttl}}`);
const refused = fc.constantFrom(
  '{"op":"add","request_id":"a","cluster":"m","ip":"10.0.0"}',
  '{"op":"add","request_id":"a","request_id":"b","cluster":"m","ip":"10.0.0.1"}',
  '{"op":"delete","request_id":""}',
  '{"op":"delete","request_id":"\\u0061","request_\\u0069d":"b"}',
  '{"op":"prompt-delete"}',
);
const events = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: adds },
    { weight: 4, arbitrary: deletions },
    { weight: 2, arbitrary: refreshes },
    { weight: 1, arbitrary: leases },
    { weight: 1, arbitrary: refused },
  ),
  { minLength: 1, maxLength: 60 },
);
const circumstances: fc.Arbitrary<Circumstances> = fc.record({
  stepUs: fc.constantFrom(0, 1, 25_000_000),
  copyPolicy: fc.constantFrom('accept', 'reject'),
  maxInFlight: fc.constantFrom(2, 100),
  maxEngines: fc.constantFrom(3, 100),
});

describe('A batch', () => {
  it('leaves the view and the messages that its events sent alone leave, and answers each alike (I18)', () => {
    const property = fc.property(events, circumstances, (texts, given) => {
      const together = sideOf(given);
      const answer = loadBatch(together.reports)(jsonBody(Buffer.from(`{"events":[${texts.join(' , ')}]}`)));

      const alone = sideOf(given);
      const failed: unknown[] = [];
      for (const [index, text] of texts.entries()) {
        try {
          const { op } = JSON.parse(text) as { op: keyof typeof alone.reports };
          alone.reports[op](jsonBody(Buffer.from(text)));
        } catch (error) {
          if (!(error instanceof ApiError)) throw error;
          const { code, message } = error.kind;
          failed.push({ index, code, message, reason: error.reason });
        }
      }
      equal(answer, { accepted: texts.length - failed.length, failed });
      equal(together.bus.sent, alone.bus.sent);
      equal(together.state(), alone.state());
    });
    fc.assert(property, { numRuns: runs(2_000) });
  });

  it('is in the next answer, in the order of its events (I5, I18)', async () => {
    const [first, second] = [id(), id()];
    const answer = await send([
      add({ cluster: 'order', request_id: first, prompt_length: 5 }),
      add({ cluster: 'order', request_id: second, prompt_length: 7 }),
      { op: 'prompt-delete', request_id: first },
      { op: 'delete', request_id: second },
    ]);
    expect(answer.envelope.data).toEqual({ accepted: 4, failed: [] });
    expect(await rows(port, 'order')).toMatchObject([
      { ip: '10.0.0.1', queued_req_num: 1, prompt_length: 0, prefill_req_num: 0 },
    ]);
  });

  it('tells of each refused event its place and the error that it would have alone; the others count (I18)', async () => {
    const [known, gone] = [id(), id()];
    await post(port, { cluster: 'errors', request_id: known, ip: '10.0.0.1', timestamp: 5 });
    await post(port, { cluster: 'errors', request_id: gone, ip: '10.0.0.1' });
    await del(port, { request_id: gone });
    const answer = await send([
      add({ cluster: 'errors' }),
      add({ cluster: 'errors', request_id: known, timestamp: 5 }),
      add({ cluster: 'errors', request_id: known, timestamp: 6 }),
      add({ cluster: 'errors', request_id: known, timestamp: 5, ip: '10.0.0.2' }),
      { op: 'delete', request_id: gone },
      { op: 'prompt-delete', request_id: gone },
      add({ cluster: 'errors', ip: 'host', prompt_length: -1 }),
      { op: 'forget', request_id: known },
      { request_id: known },
      'delete',
      null,
      [],
    ]);
    const { accepted, failed } = answer.envelope.data as { accepted: number; failed: { index: number }[] };
    const op = 'must be one of add, prompt-delete, delete, refresh, owner';
    expect(accepted).toBe(2);
    expect(failed.map(({ index, ...rest }) => [index, ...Object.values(rest)])).toEqual([
      [2, 40001000, 'Data duplicate', 'request_id is in flight or was finished a short time ago'],
      [3, 40001000, 'Data duplicate', expect.stringMatching('at another engine')],
      [4, 40001404, 'Resource already deleted', 'request_id was already deleted'],
      [5, 40001404, 'Resource already deleted', 'request_id was already deleted'],
      [6, 40001400, 'Invalid input parameters', expect.stringMatching(/prompt_length must be.*; ip must be/)],
      [7, 40001400, 'Invalid input parameters', `op ${op}`],
      [8, 40001400, 'Invalid input parameters', `op is required and ${op}`],
      ...[9, 10, 11].map((i) => [i, 40001400, 'Invalid input parameters', 'the event must be an object']),
    ]);
    expect(await rows(port, 'errors')).toMatchObject([{ queued_req_num: 2 }]);
  });

  it('reads integers with all their digits, and refuses members that come twice', async () => {
    const [exact, twice] = [id(), id()];
    const event = (timestamp: string): string =>
      `{"op":"add","cluster":"exact","request_id":"${exact}","ip":"10.0.0.1","timestamp":${timestamp}}`;
    const answer = await sendTo(
      port,
      `{"events":[${[
        event('1758350000000000001'),
        event('1758350000000000001'),
        event('1758350000000000002'),
        `{"op":"delete","request_id":"${twice}","op":"delete"}`,
        `{"op":"delete","request_id":"${twice}","request_id":"${twice}"}`,
      ].join()}]}`,
    );
    expect(answer.envelope.data).toMatchObject({
      accepted: 2,
      failed: [
        { index: 2, code: 40001000 },
        { index: 3, code: 40001400, reason: 'op must be given only once' },
        { index: 4, code: 40001400, reason: 'request_id must be given only once' },
      ],
    });
  });

  it('is taken up to the limits of the replica, event by event (I7)', async () => {
    const small = await startReplica({
      METADATA_CENTER_MAX_IN_FLIGHT: '2',
      METADATA_CENTER_REPLAY_POLICY: 'accept',
    });
    const [first, second] = [id(), id()];
    const answer = await send(
      [
        add({ request_id: first }),
        add({ request_id: first }),
        add({ request_id: second }),
        add(),
        { op: 'delete', request_id: first },
        { op: 'delete', request_id: first },
        add(),
      ],
      small.port,
    );
    expect(answer.envelope.data).toEqual({
      accepted: 6,
      failed: [
        {
          index: 3,
          code: 50301000,
          message: 'Service unavailable',
          reason: expect.stringMatching('METADATA_CENTER_MAX_IN_FLIGHT') as unknown,
        },
      ],
    });
    await small.stop();
  });

  it('is taken with the bus down, as its events are (I6)', async () => {
    const server = await startServer();
    expect((await send([add({ cluster: 'down' })], server.port)).envelope.data).toMatchObject({
      accepted: 1,
    });
    await server.stop();
  });

  it('may have 512 events and 256 KiB, and no more', async () => {
    const largest = Array.from({ length: 512 }, () => add({ cluster: 'largest' }));
    expect((await send(largest)).envelope.data).toEqual({ accepted: 512, failed: [] });
    expect((await rows(port, 'largest'))[0]!.queued_req_num).toBe(512);
    const padding = (bytes: number): string =>
      `{"events":[{"op":"delete","request_id":"pad"}],"x":"`.padEnd(bytes - 2, 'x') + '"}';
    expect((await sendTo(port, padding(256 * 1024))).envelope.data).toMatchObject({ accepted: 1 });
    expect((await sendTo(port, padding(256 * 1024 + 1))).code).toBe(41301000);
  });
});

describe('The frame of a batch', () => {
  const tooMany = JSON.stringify({ events: Array.from({ length: 513 }, () => add({ cluster: 'frame' })) });
  const one = JSON.stringify(add({ cluster: 'frame' }));
  const words = 'must be an array of 1 to 512 events';
  it.each([
    ['nothing', '', 'body is empty and must be a JSON object'],
    ['half of one', '{"events":[', 'body must be a JSON object and is not valid JSON'],
    ['an array', `[${one}]`, 'body must be a JSON object'],
    ['no events', one, `events is required and ${words}`],
    ['null', '{"events":null}', `events is required and ${words}`],
    ['an object in the place of the array', `{"events":${one}}`, `events ${words}`],
    ['text in the place of the array', '{"events":"x"}', `events ${words}`],
    ['0 events', '{"events":[]}', `events ${words}`],
    ['513 events', tooMany, `events ${words}`],
    ['events twice', `{"events":[${one}],"events":[${one}]}`, 'events must be given only once'],
    ['other bytes', Buffer.from([0x7b, 0xff]), 'body must be UTF-8 text'],
  ])('with %s is refused as a whole, and changes nothing (I8)', async (_what, body, reason) => {
    expect(await sendTo(port, body)).toMatchObject({ status: 400, code: 40001400, reason });
    expect(await rows(port, 'frame')).toEqual([]);
  });

  it('has no other method', async () => {
    expect((await call(port, 'GET', '/v1/load/batch')).status).toBe(405);
  });
});
