/** Ports for servers that tests start as processes and must know before they listen. */
import { createServer } from 'node:net';

/**
 * Below the ports that systems give to outgoing connections and to port 0 (32768 and up on Linux, 49152 elsewhere): so
 * none of those, of which tests make thousands, takes a port between the look here and the server's start. Each of up to
 * eight workers has a share of its own: none takes the port of a server that another one has killed and will start again.
 */
const SHARE = 1_500;
const LOWEST = 20_000 + ((Number(process.env['JEST_WORKER_ID'] ?? 1) - 1) % 8) * SHARE;
const HIGHEST = LOWEST + SHARE - 1;

let last = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));

/** A port of `host` that nobody listens on right now, another one at each call. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (let tries = HIGHEST - LOWEST; tries > 0; tries--) {
    // Another call may go on from here before this one has looked.
    const port = (last = last < HIGHEST ? last + 1 : LOWEST);
    if (await isFree(host, port)) return port;
  }
  throw new Error(`no port of ${host} is free`);
}

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}
