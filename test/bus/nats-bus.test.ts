import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { CleanUp } from '../support/clean-up';
import { freePort } from '../support/free-port';
import { NatsServerProcess } from '../support/nats-server';
import { SwallowingProxy } from '../support/swallowing-proxy';
import { until } from '../support/until';
import type { NatsBusOptions } from '../../src/bus/nats-bus';
import { Member } from './bus-contract';
import { natsBus } from './nats-bus-fixture';

const cleanUp = new CleanUp();
afterEach(() => cleanUp.run());

function join(urls: string, options: Partial<NatsBusOptions> = {}, subjects = ['p.*']): Member {
  const member = new Member({ makeBus: (onTrouble) => natsBus(urls, options, onTrouble) }, subjects);
  cleanUp.add(() => member.bus.stop());
  return member;
}

function startServer(config = ''): Promise<NatsServerProcess> {
  return cleanUp.use(NatsServerProcess.start({ config }), (it) => it.stop());
}

function startProxy(target: NatsServerProcess, delayMs = 0): Promise<SwallowingProxy> {
  return cleanUp.use(SwallowingProxy.start(target.port, delayMs), (it) => it.stop());
}

/** Publishes until it arrives: what was denied, or has no route yet, is gone. */
async function reaches(from: Member, to: Member, subject: string, text: string): Promise<void> {
  await until(
    () => {
      from.publish(subject, text);
      return to.received.includes(`${subject} ${text}`);
    },
    { describe: `${subject} ${text} arrives` },
  );
}

const connections = (member: Member): boolean[] => member.statuses.map((status) => status.connected);

describe('the NATS bus', () => {
  it('starts without a server, says so once, and connects when there is one (I6)', async () => {
    const server = await cleanUp.use(NatsServerProcess.prepare(), (it) => it.stop());
    const a = join(server.url);
    await a.connected(false);
    expect(a.publish('p.x', 'lost')).toBe(false);
    await server.run();
    await a.connected();
    const b = join(server.url);
    await b.connected();
    b.publish('p.x', 'hello');
    await a.receives('p.x hello');
    expect(connections(a)).toEqual([false, true]);
    expect(a.statuses[0]?.reason).toContain('ECONNREFUSED');
  });

  it('says once that it lost the server, refuses to publish meanwhile, and receives again after a restart (I6)', async () => {
    const server = await startServer();
    const [a, b] = [join(server.url), join(server.url)];
    await a.connected();
    await b.connected();
    for (let round = 1; round <= 3; round++) {
      await server.kill();
      await a.connected(false);
      await b.connected(false);
      expect(a.publish('p.x', 'lost')).toBe(false);
      await server.run();
      await a.connected();
      await b.connected();
      // Both subscriptions are known to the server: not one message may be missing from here on.
      for (let i = 0; i < 100; i++) {
        expect(a.publish('p.a', `${round}:${i}`)).toBe(true);
        expect(b.publish('p.b', `${round}:${i}`)).toBe(true);
      }
      await until(() => a.received.length === 100 * round && b.received.length === 100 * round, {
        describe: () => `100 each, got ${a.received.length} and ${b.received.length}`,
      });
    }
    expect(connections(a)).toEqual([true, false, true, false, true, false, true]);
  });

  it('goes on to another server of the list, and comes back when only the first lives', async () => {
    const [first, second] = [await startServer(), await startServer()];
    const a = join(`${first.url},${second.url}`);
    await a.connected();
    const nameOfCurrent = (): string => a.statuses.at(-1)?.reason ?? '';
    const current = nameOfCurrent().endsWith(`:${first.port}`) ? first : second;
    const other = current === first ? second : first;
    await current.kill();
    await until(() => nameOfCurrent() === `connected to 127.0.0.1:${other.port}`, {
      describe: nameOfCurrent,
    });
    await current.run();
    await other.kill();
    await until(() => nameOfCurrent() === `connected to 127.0.0.1:${current.port}`, {
      describe: nameOfCurrent,
    });
  });

  it('learns the other servers of a cluster, and goes on to them', async () => {
    const [clusterA, clusterB] = [await freePort(), await freePort()];
    const config = (own: number, other: number): string =>
      `cluster { name: c, host: 127.0.0.1, port: ${own}, routes: ["nats-route://127.0.0.1:${other}"] }`;
    const first = await startServer(config(clusterA, clusterB));
    const second = await startServer(config(clusterB, clusterA));
    const far = join(second.url);
    const a = join(first.url);
    await a.connected();
    await far.connected();
    await reaches(far, a, 'p.x', 'route');
    await first.kill();
    await until(() => a.bus.reason === `connected to 127.0.0.1:${second.port}`, {
      describe: () => a.bus.reason,
    });
  });

  it('notices a link that swallows everything, and connects anew (I6)', async () => {
    const server = await startServer();
    const proxy = await startProxy(server);
    const a = join(`nats://127.0.0.1:${proxy.port}`, { pingIntervalMs: 200, timeoutMs: 500 });
    await a.connected();
    proxy.swallow(true);
    await a.connected(false);
    expect(a.statuses.at(-1)?.reason).toContain('does not answer');
    proxy.swallow(false);
    await a.connected();
  });

  it('says that it is connected only when the server knows its subscriptions, however slow the link', async () => {
    const server = await startServer();
    const proxy = await startProxy(server, 100);
    const [far, near] = [join(`nats://127.0.0.1:${proxy.port}`), join(server.url)];
    await near.connected();
    await far.connected();
    near.publish('p.x', 'first');
    near.publish('p.x', 'second');
    await far.receives('p.x second');
    expect(far.received).toEqual(['p.x first', 'p.x second']);
  });

  it('bounds what it buffers for a stalled link, which it notices though its socket is full (I7)', async () => {
    const server = await startServer();
    const proxy = await startProxy(server);
    const windowBytes = 16 * 1024 * 1024;
    const a = join(`nats://127.0.0.1:${proxy.port}`, { pingIntervalMs: 500, timeoutMs: 500, windowBytes });
    await a.connected();
    proxy.swallow(true);
    const payload = Buffer.alloc(64 * 1024);
    let published = 0;
    while (a.bus.publish('p.x', payload)) published += payload.length;
    expect(a.bus.connected).toBe(true);
    expect(published).toBeGreaterThan(windowBytes - 2 * payload.length);
    expect(published).toBeLessThanOrEqual(windowBytes);
    await a.connected(false);
    proxy.swallow(false);
    await a.connected();
    expect(a.bus.publish('p.x', payload)).toBe(true);
  });

  it('publishes far more than its window over a link that drains', async () => {
    const server = await startServer();
    const [a, b] = [join(server.url, { windowBytes: 64 * 1024 }), join(server.url)];
    await a.connected();
    await b.connected();
    for (let i = 0; i < 1_000; i++) {
      await until(() => a.publish('p.x', 'x'.repeat(1_000)), {
        intervalMs: 0,
        describe: 'room in the window',
      });
    }
    await until(() => b.received.length === 1_000, { describe: () => `1000, got ${b.received.length}` });
  });

  it('reads a backlog in many turns of the event loop, so that what else waits gets its turn (I7)', async () => {
    const [count, size, most] = [4_000, 1_000, 300];
    const server = await startServer();
    const [a, b] = [join(server.url), join(server.url)];
    await Promise.all([a.connected(), b.connected()]);
    const ofTurns: number[] = [];
    let counting = true;
    let before = 0;
    const nextTurn = (): void => {
      ofTurns.push(a.received.length - before);
      before = a.received.length;
      if (counting) setImmediate(nextTurn);
    };
    for (let i = 0; i < count; i++) b.publish('p.x', 'x'.repeat(size));
    await new Promise<void>((resolve) => b.bus.whenWritten(resolve));
    // This process is busy, as others are that take what it publishes.
    for (const lasting of [100, 100, 100]) {
      await new Promise((resolve) => setImmediate(resolve));
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, lasting);
    }
    before = a.received.length;
    nextTurn();
    await until(() => a.received.length === count, { describe: 'all arrive' });
    counting = false;
    expect(Math.max(...ofTurns)).toBeLessThan(most);
  });

  it('does not leave sockets behind at a server that accepts and says nothing (I7)', async () => {
    const sockets = new Set<Socket>();
    const mute = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => sockets.delete(socket));
      socket.resume();
    });
    await once(mute.listen(0, '127.0.0.1'), 'listening');
    const { port } = mute.address() as AddressInfo;
    cleanUp.add(async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => mute.close(resolve));
    });
    let accepted = 0;
    mute.on('connection', () => accepted++);
    const a = join(`nats://127.0.0.1:${port}`, { timeoutMs: 30, retryMinMs: 5, retryMaxMs: 5 });
    await until(() => accepted > 20, { describe: () => `20 attempts, ${accepted}` });
    expect(a.bus.reason).toContain('no answer in time');
    expect(sockets.size).toBeLessThanOrEqual(2);
  });

  it('stops in bounded time though the link is stalled', async () => {
    const server = await startServer();
    const proxy = await startProxy(server);
    const a = join(`nats://127.0.0.1:${proxy.port}`, { stopTimeoutMs: 200 });
    await a.connected();
    proxy.swallow(true);
    while (a.bus.publish('p.x', Buffer.alloc(64 * 1024)));
    const startedAt = Date.now();
    await a.bus.stop();
    expect(Date.now() - startedAt).toBeLessThan(10_000);
    expect(connections(a)).toEqual([true]);
    expect(a.troubles).toEqual([expect.stringMatching(/^unconfirmed: .* may not have arrived: no answer/)]);
  });

  it('says that a subscription is denied, still hears the others, and recovers when it is permitted', async () => {
    const permit = (allowed: string): string =>
      `authorization { users: [ { user: u, password: pw, permissions: { publish: ">", subscribe: [${allowed}] } } ] }`;
    const server = await startServer(permit('"p.ok"'));
    const a = join(`nats://u:pw@127.0.0.1:${server.port}`, { deniedRetryMs: 300 }, ['p.ok', 'p.denied']);
    await a.connected(false);
    expect(a.statuses.at(-1)?.reason).toContain('subscription to "p.denied" is not permitted');
    expect(a.troubles).toContainEqual('permission: subscription to "p.denied" is not permitted');
    const b = join(`nats://u:pw@127.0.0.1:${server.port}`, {}, ['p.ok']);
    await b.connected();
    await reaches(b, a, 'p.ok', 'x');
    server.configure(permit('"p.ok", "p.denied"'));
    server.reload();
    await a.connected();
    b.publish('p.denied', 'y');
    await a.receives('p.denied y');
    expect(connections(a)).toEqual([false, true]);
  });

  it('says that publishing is denied, refuses to publish, still receives, and recovers when it is permitted', async () => {
    const permit = (allowed: string): string =>
      `authorization { users: [ { user: u, password: pw, permissions: { publish: [${allowed}], subscribe: ">" } }, { user: w, password: pw } ] }`;
    const server = await startServer(permit('"q"'));
    const a = join(`nats://u:pw@127.0.0.1:${server.port}`, { deniedRetryMs: 300 });
    await a.connected();
    expect(a.publish('p.x', '1')).toBe(true);
    await a.connected(false);
    expect(a.statuses.at(-1)?.reason).toContain('publish to "p.x" is not permitted');
    expect(a.publish('p.x', '2')).toBe(false);
    const w = join(`nats://w:pw@127.0.0.1:${server.port}`);
    await w.connected();
    w.publish('p.y', 'hello');
    await a.receives('p.y hello');
    server.configure(permit('"q", "p.*"'));
    server.reload();
    await reaches(a, w, 'p.x', '3');
  });
});
