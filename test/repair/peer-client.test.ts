/** The client of peers against real servers that answer what no good peer would. */
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PeerClient } from '../../src/repair/peer-client';

let server: Server | undefined;
let client: PeerClient | undefined;

afterEach(async () => {
  client?.stop();
  server?.closeAllConnections();
  await new Promise((resolve) => server?.close(resolve) ?? resolve(undefined));
});

async function clientOf(answer: RequestListener): Promise<PeerClient> {
  const listening = createServer(answer);
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  client = new PeerClient({
    port: (listening.address() as AddressInfo).port,
    self: { replica: 'me', deployment: 'a b', speaks: 1 },
    requestTimeoutMs: 5_000,
    context: { forgetAfterUs: 1e12, maxOrigins: 10, maxIntervals: 10, maxIntervalsInAll: 1000 },
    tokens: () => [],
  });
  return client;
}

async function pathOfPull(adds: readonly number[]): Promise<string> {
  let path = '';
  const asking = await clientOf((req, res) => {
    path = req.url!;
    res.end();
  });
  await asking.snapshot('127.0.0.1', { adds, deletions: [7], since: [1, 2] }, () => undefined);
  return path;
}

describe('A pull', () => {
  it('names the seconds that differ', async () => {
    expect(await pathOfPull([100, 101, 102, 110])).toBe(
      '/v1/replica/snapshot?deployment=a%20b&speaks=1&adds=100,2,8,0&deletions=7,0&since=1,2',
    );
  });

  it('asks for everything where the seconds are too many and too scattered for a request line (I4)', async () => {
    const scattered = Array.from({ length: 5_000 }, (_, i) => 1_700_000_000 + 2 * i);
    expect(await pathOfPull(scattered)).toBe('/v1/replica/snapshot?deployment=a%20b&speaks=1');
  });
});

describe('A status', () => {
  it('is not read beyond what a context can take (I7)', async () => {
    let sentBytes = 0;
    const asking = await clientOf((_req, res) => {
      const chunk = 'x'.repeat(64 * 1024);
      const more = (): void => {
        sentBytes += chunk.length;
        if (sentBytes < 100e6) res.write(chunk, more);
        else res.end();
      };
      res.on('error', () => undefined);
      more();
    });
    await expect(asking.status('127.0.0.1', undefined)).rejects.toThrow('too large');
    expect(sentBytes).toBeLessThan(50e6);
  });
});
