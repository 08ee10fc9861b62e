/** Bytes and writes per event on the bus, exact: each is paid once at the publisher and once at every replica. */
import { NO_CREDENTIALS } from '../bus/nats-bus-fixture';
import { Socket } from 'node:net';
import { NATS_BUS_DEFAULTS, NatsBus } from '../../src/bus/nats-bus';
import { parseNatsServers } from '../../src/bus/nats-servers';
import type { LoadEvent } from '../../src/core/event';
import { encodeEvent } from '../../src/wire/event-codec';
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
    const bus = new NatsBus(
      {
        ...NATS_BUS_DEFAULTS,
        clientName: 'under test',
        servers: parseNatsServers(nats.url),
        credentials: NO_CREDENTIALS,
        tls: { caFile: undefined, certFile: undefined, keyFile: undefined },
      },
      Math.random,
      () => undefined,
    );
    try {
      bus.start([], { onMessage: () => undefined, onStatus: () => undefined });
      await until(() => bus.connected, { describe: 'connected' });
      const writes = jest.spyOn(Socket.prototype, 'write');
      for (let i = 0; i < 100; i++) {
        expect(bus.publish('p.load.add', encodeEvent(ADD))).toBe(true);
        // The client alone would write here, at the end of each callback.
        await Promise.resolve();
      }
      expect(writes).not.toHaveBeenCalled();
      // Behind the bus's own: what the HTTP API answers is said after the events have left.
      await new Promise((resolve) => setImmediate(resolve));
      expect(writes).toHaveBeenCalledTimes(1);
      writes.mockRestore();
    } finally {
      await bus.stop();
      await nats.stop();
    }
  });
});
