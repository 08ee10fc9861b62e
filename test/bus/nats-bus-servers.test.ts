/** Which servers the bus tries, and how often. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { NatsBusOptions } from '../../src/bus/nats-bus';
import { parseNatsServers } from '../../src/bus/nats-servers';
import { CleanUp } from '../support/clean-up';
import { NatsServerProcess } from '../support/nats-server';
import { until } from '../support/until';
import { Member } from './bus-contract';
import { natsBus } from './nats-bus-fixture';

const cleanUp = new CleanUp();
afterEach(() => cleanUp.run());

function join(urls: string, options: Partial<NatsBusOptions> = {}): Member {
  const member = new Member({ makeBus: (onTrouble) => natsBus(urls, options, onTrouble) }, ['p.*']);
  cleanUp.add(() => member.bus.stop());
  return member;
}

/** Accepts connections and does with each what the test says. */
async function listen(
  onSocket: (socket: Socket) => void,
  host = '127.0.0.1',
): Promise<{ port: number; server: Server }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    onSocket(socket);
  });
  await once(server.listen(0, host), 'listening');
  cleanUp.add(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return { port: (server.address() as AddressInfo).port, server };
}

describe('NATS_URL with one server named twice', () => {
  it('is one server, in whatever way it is spelled', () => {
    const hosts = parseNatsServers('nats://h:4222,H,nats://h,tls://x:1,tls://x:1').map((it) => it.host);
    expect(hosts).toEqual(['h', 'x']);
  });

  it('and other credentials is refused, without repeating them', () => {
    expect(() => parseNatsServers('nats://u:secret@h,nats://h')).toThrow(/^server 2: named before[^:]*$/);
  });

  it('is tried with the usual pauses while it refuses, and said once (I7)', async () => {
    let attempts = 0;
    const { port } = await listen((socket) => {
      attempts++;
      socket.destroy();
    });
    const url = `nats://127.0.0.1:${port}`;
    const a = join(`${url},${url}`, { retryMinMs: 100, retryMaxMs: 100 });
    await a.connected(false);
    const [before, startedAt] = [attempts, performance.now()];
    await until(() => attempts >= before + 3, { describe: () => `3 attempts more, ${attempts - before}` });
    expect(performance.now() - startedAt).toBeGreaterThan(200);
    const troubles = a.troubles.filter((it) => it.startsWith('connect'));
    expect(troubles).toEqual([expect.stringContaining('the server closed the connection')]);
  });
});

describe('Announced servers that cannot be reached', () => {
  const info = (port: number, announced: string): string =>
    `INFO {"server_id":"s","version":"2.9.10","proto":1,"host":"127.0.0.1","port":${port},"max_payload":1048576,"headers":true,"connect_urls":[${announced}]}\r\n`;

  /** Stands for a server of a cluster whose others are in a network that swallows everything. */
  async function lostServer(): Promise<{ port: number; server: Server }> {
    const mute = await listen((socket) => socket.resume(), '0.0.0.0');
    const announced = Array.from({ length: 60 }, (_, i) => `"127.1.0.${i + 1}:${mute.port}"`).join();
    const it: { port: number; server: Server } = await listen((socket) => {
      socket.write(info(it.port, announced));
      socket.on('data', (data) => {
        if (data.includes('PING')) socket.write('PONG\r\n');
      });
      setTimeout(() => socket.destroy(), 200);
    });
    return it;
  }

  it.each([
    ['do not keep the configured one from being tried again within seconds', false],
    ['are not tried at all where they are to be ignored', true],
  ])('%s', async (_what, ignoreDiscovered) => {
    const { port, server } = await lostServer();
    const a = join(`nats://127.0.0.1:${port}`, { ignoreDiscovered });
    await a.connected();
    server.close();
    await a.connected(false);
    await until(() => a.troubles.some((it) => it.startsWith('connect')), { describe: 'a round has failed' });
    expect(a.troubles.join().includes('announced servers: none of 60 answers')).toBe(!ignoreDiscovered);
    const real = await cleanUp.use(NatsServerProcess.start({ port }), (it) => it.stop());
    const upAt = performance.now();
    await a.connected();
    expect(performance.now() - upAt).toBeLessThan(9_000);
    expect(real.isRunning).toBe(true);
  });
});

describe('max_payload of the server', () => {
  it('is known once connected; what is larger is refused at once', async () => {
    const server = await cleanUp.use(NatsServerProcess.start({ config: 'max_payload: 300' }), (it) =>
      it.stop(),
    );
    const [a, b] = [join(server.url), join(server.url)];
    await a.connected();
    await b.connected();
    expect(a.bus.maxPayload).toBe(300);
    expect(a.bus.publish('p.x', Buffer.alloc(301))).toBe(false);
    expect(a.bus.publish('p.x', Buffer.alloc(300, 'x'))).toBe(true);
    await b.receives('x'.repeat(300));
  });
});
