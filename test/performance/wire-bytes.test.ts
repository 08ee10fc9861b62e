/** Bytes and writes per event on the bus, exact: each is paid once at the publisher and once at every replica. */
import { Socket } from 'node:net';
import { GatherPause } from '../../src/bus/gather-pause';
import type { LoadEvent } from '../../src/core/event';
import { encodeEvent } from '../../src/wire/event-codec';
import type { NatsBus } from '../../src/bus/nats-bus';
import { natsBus } from '../bus/nats-bus-fixture';
import { CleanUp } from '../support/clean-up';
import { NatsServerProcess } from '../support/nats-server';
import { until } from '../support/until';

const DOT = { origin: 'abcdefghijklmnop', seq: 123_456, timeUs: 1_700_000_000_000_000 };
const REQUEST_ID = '5f1c9a70-0000-4000-8000-000000000001';
const ADD: LoadEvent = {
  ...DOT,
  type: 'add',
  requestId: REQUEST_ID,
  cluster: 'llama-3-70b',
  ip: '10.0.0.17',
  promptLength: 512,
  timestampNs: 1_700_000_000_000_000_000n,
};

const cleanUp = new CleanUp();

afterEach(async () => {
  jest.restoreAllMocks();
  await cleanUp.run();
});

/** A bus that is connected to a server of its own, and the port of that. */
async function connected(gather?: GatherPause): Promise<[NatsBus, number]> {
  const nats = await cleanUp.use(NatsServerProcess.start(), (it) => it.stop());
  const bus = natsBus(nats.url, {}, undefined, gather);
  cleanUp.add(() => bus.stop());
  bus.start({}, () => undefined);
  await until(() => bus.connected, { describe: 'connected' });
  return [bus, nats.port];
}

/** Counts the writes to that port from now on; other sockets of this process are not the bus's. */
function countWrites(port: number): () => number {
  const { contexts } = jest.spyOn(Socket.prototype, 'write').mock;
  return () => contexts.filter(({ remotePort }) => remotePort === port).length;
}

describe('Events on the wire', () => {
  it.each([
    ['an add', ADD, 233],
    ['a prompt-delete', { ...DOT, type: 'prompt-delete' as const, requestId: REQUEST_ID }, 150],
    ['a delete', { ...DOT, type: 'delete' as const, requestId: REQUEST_ID }, 143],
  ])('%s is so many bytes and no more', (_what, event, bytes) => {
    expect(encodeEvent(event)).toHaveLength(bytes);
  });

  it('what is published in one turn of the event loop is one write, however much it is', async () => {
    const [bus, port] = await connected();
    const writes = countWrites(port);
    let turnIsOver = false;
    setImmediate(() => (turnIsOver = true));
    for (let i = 0; i < 100; i++) {
      expect(bus.publish('p.load.add', encodeEvent(ADD))).toBe(true);
      // The client alone would write here, at the end of each callback.
      await Promise.resolve();
    }
    expect(writes()).toBe(0);
    // Who waits has published what it had: it need not wait for the turn's end.
    await new Promise<void>((resolve) => bus.whenWritten(resolve));
    expect([writes(), turnIsOver]).toEqual([1, false]);
  });

  it('what is published in several turns of a busy event loop is one write, and nothing is called written before', async () => {
    // A load and a clock that moves when the test says so.
    let now = 0;
    const gather = new GatherPause(
      500,
      () => now,
      () => 1,
    );
    const [bus, port] = await connected(gather);
    const written = (): Promise<void> => new Promise((resolve) => bus.whenWritten(resolve));
    now += 1_000;
    bus.publish('p.load.add', encodeEvent(ADD));
    await written();
    const writes = countWrites(port);
    const called: string[] = [];
    for (let i = 0; i < 15; i++) {
      bus.publish('p.load.add', encodeEvent(ADD));
      bus.whenWritten(() => called.push(`${writes()} writes`));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(called).toEqual([]);
    await written();
    expect(called).toEqual(Array.from({ length: 15 }, () => '1 writes'));
    // Sixteen wait for no more.
    for (let i = 0; i < 16; i++) bus.publish('p.load.add', encodeEvent(ADD));
    await new Promise((resolve) => setImmediate(resolve));
    expect(writes()).toBe(2);
  });
});
