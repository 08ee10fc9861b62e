/** Bytes and writes per event on the bus, exact: each is paid once at the publisher and once at every replica. */
import { Socket } from 'node:net';
import { GatherWindow } from '../../src/bus/gather-window';
import type { LoadEvent } from '../../src/core/event';
import { encodeEvent } from '../../src/wire/event-codec';
import { natsBus } from '../bus/nats-bus-fixture';
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

describe('Events on the wire', () => {
  it.each([
    ['an add', ADD, 233],
    ['a prompt-delete', { ...DOT, type: 'prompt-delete' as const, requestId: REQUEST_ID }, 150],
    ['a delete', { ...DOT, type: 'delete' as const, requestId: REQUEST_ID }, 143],
  ])('%s is so many bytes and no more', (_what, event, bytes) => {
    expect(encodeEvent(event)).toHaveLength(bytes);
  });

  it('what is published in one turn of the event loop is one write, however much it is', async () => {
    const nats = await NatsServerProcess.start();
    const bus = natsBus(nats.url);
    try {
      bus.start({}, () => undefined);
      await until(() => bus.connected, { describe: 'connected' });
      const writes = jest.spyOn(Socket.prototype, 'write');
      for (let i = 0; i < 100; i++) {
        expect(bus.publish('p.load.add', encodeEvent(ADD))).toBe(true);
        // The client alone would write here, at the end of each callback.
        await Promise.resolve();
      }
      expect(writes).not.toHaveBeenCalled();
      await new Promise<void>((resolve) => bus.whenWritten(resolve));
      expect(writes).toHaveBeenCalledTimes(1);
      writes.mockRestore();
    } finally {
      await bus.stop();
      await nats.stop();
    }
  });

  it('what is published in several turns of a busy event loop is one write, and nothing is called written before', async () => {
    const nats = await NatsServerProcess.start();
    // A load and a clock that moves when the test says so.
    let now = 0;
    const gather = new GatherWindow(
      500,
      () => now,
      () => 1,
    );
    const bus = natsBus(nats.url, {}, () => undefined, gather);
    const written = (): Promise<void> => new Promise((resolve) => bus.whenWritten(resolve));
    try {
      bus.start({}, () => undefined);
      await until(() => bus.connected, { describe: 'connected' });
      now += 1_000;
      bus.publish('p.load.add', encodeEvent(ADD));
      await written();
      const writes = jest.spyOn(Socket.prototype, 'write');
      const called: string[] = [];
      for (let i = 0; i < 15; i++) {
        bus.publish('p.load.add', encodeEvent(ADD));
        bus.whenWritten(() => called.push(`${writes.mock.calls.length} writes`));
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect(called).toEqual([]);
      await written();
      expect(called).toEqual(Array.from({ length: 15 }, () => '1 writes'));
      // Sixteen wait for no more.
      for (let i = 0; i < 16; i++) bus.publish('p.load.add', encodeEvent(ADD));
      await new Promise((resolve) => setImmediate(resolve));
      expect(writes).toHaveBeenCalledTimes(2);
      writes.mockRestore();
    } finally {
      await bus.stop();
      await nats.stop();
    }
  });
});
