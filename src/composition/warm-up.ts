/**
 * Runs the way of a report and of a query, through the real HTTP code and over real sockets, before the first caller comes: what
 * runs for the first time is compiled first, and a gateway gives a replica 100 ms. All of it happens to a scratch view that is
 * thrown away, with metrics and a log of its own: nothing shows in rows, metrics, logs, history or on the bus.
 */
import { connect } from 'node:net';
import pino from 'pino';
import { Registry } from 'prom-client';
import { InProcessBus, InProcessHub } from '../bus/in-process-bus';
import type { LoadConfig } from '../config/config';
import { CausalContext } from '../core/causal-context';
import { LoadStats } from '../core/load-stats';
import type { HttpDependencies } from '../http/dependencies';
import { httpLimits } from '../http/limits';
import { HttpServer } from '../http/server';
import { wallClock } from '../replication/clock';
import { contextOptions, loadStatsOptions } from '../replication/limits';
import { Replicator } from '../replication/replicator';
import { Republisher } from '../replication/republisher';
import { loadWildcard } from '../wire/subjects';

const LOOPBACK = '127.0.0.1';
const AT_MOST_MS = 500;
/** By then the engine has compiled nearly all that it will compile. */
const LIVES = 1_000;
const CONNECTIONS = 32;
const ENGINES = 16;

/** Resolves when it is over, whatever came of it: a replica that could not be warmed is only slower at first. */
export async function warmUp(dependencies: HttpDependencies, load: LoadConfig): Promise<void> {
  const hub = new InProcessHub();
  // Two, since events are read as well as written.
  const [sender, receiver] = [
    scratchReplicator('warm-up-sender', hub, load),
    scratchReplicator('warm-up', hub, load),
  ];
  const server = new HttpServer(
    {
      ...dependencies,
      accessTokens: undefined,
      replicator: sender.replicator,
      registry: new Registry(),
      logger: pino({ level: 'silent' }),
    },
    httpLimits,
  );
  const endMs = dependencies.monotonicMs() + AT_MOST_MS;
  try {
    const port = await server.listen(LOOPBACK, 0);
    let lives = 0;
    const nextLife = (): number | undefined =>
      lives < LIVES && dependencies.monotonicMs() < endMs ? lives++ : undefined;
    await Promise.all(Array.from({ length: CONNECTIONS }, () => live(port, nextLife)));
  } catch {
    // No loopback, or no port: then not.
  }
  await server.stop(0);
  await Promise.all([sender.bus.stop(), receiver.bus.stop()]);
}

function scratchReplicator(origin: string, hub: InProcessHub, load: LoadConfig) {
  const loadStats = new LoadStats(loadStatsOptions(load));
  const bus = new InProcessBus(hub, () => undefined);
  const replicator = new Replicator({
    loadStats,
    context: new CausalContext(contextOptions(loadStats.options)),
    bus,
    republisher: new Republisher(bus),
    nowUs: wallClock(),
    observeLatency: () => undefined,
    options: { origin, subjectPrefix: origin, maxInFlight: LIVES, maxEngines: LIVES },
  });
  bus.start({ [loadWildcard('warm-up-sender')]: (payload) => replicator.receive(payload) }, () => undefined);
  return { replicator, bus };
}

/** One connection, on which one request at a time is sent, as gateways do. Resolves when it is closed. */
function live(port: number, nextLife: () => number | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    let requests: string[] = [];
    const socket = connect(port, LOOPBACK, () => send());
    const send = (): void => {
      const life = requests.length === 0 ? nextLife() : undefined;
      if (life !== undefined) requests = requestsOf(life);
      const request = requests.shift();
      if (request === undefined) socket.destroy();
      else socket.write(request);
    };
    socket.on('data', send);
    socket.on('error', reject);
    socket.on('close', () => resolve());
  });
}

function requestsOf(life: number): string[] {
  const id = `warm-up-${life}`;
  const add = {
    request_id: id,
    cluster: 'warm-up',
    prompt_length: life,
    ip: `10.0.0.${life % ENGINES}`,
    timestamp: 1,
  };
  const deletion = { request_id: id, cluster: '', ip: '' };
  return [
    requestOf('GET', '/v1/load/stats?cluster=warm-up'),
    requestOf('POST', '/v1/load/stats', add),
    requestOf('DELETE', '/v1/load/prompt', deletion),
    requestOf('DELETE', '/v1/load/stats', deletion),
  ];
}

function requestOf(method: string, path: string, body?: object): string {
  const text = body === undefined ? '' : JSON.stringify(body);
  const length = body === undefined ? '' : `Content-Length: ${text.length}\r\n`;
  return `${method} ${path} HTTP/1.1\r\nHost: ${LOOPBACK}\r\nTraceId: \r\n${length}\r\n${text}`;
}
