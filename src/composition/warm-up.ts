/**
 * Runs the way of a report and of a query, through the real HTTP code and over real sockets, before the first caller comes: what
 * runs for the first time is compiled first, and a gateway gives a replica 100 ms. All of it happens to a scratch view that is
 * thrown away, with metrics, a log and a token of its own: nothing shows in rows, metrics, logs, history or on the bus, and nobody
 * else is let in. The event loop takes turns between a few requests each, so the replica's own port answers meanwhile.
 */
import { setMaxListeners } from 'node:events';
import { connect } from 'node:net';
import pino from 'pino';
import { Registry } from 'prom-client';
import { InProcessBus, InProcessHub } from '../bus/in-process-bus';
import { CausalContext } from '../core/causal-context';
import { LoadStats } from '../core/load-stats';
import type { HttpDependencies } from '../http/dependencies';
import { httpLimits } from '../http/limits';
import { HttpServer } from '../http/server';
import { wallClock } from '../replication/clock';
import { contextOptions, loadStatsOptions } from '../replication/limits';
import { Replicator } from '../replication/replicator';
import { Republisher } from '../replication/republisher';
import { AccessTokens } from '../security/access-tokens';
import { loadWildcard } from '../wire/subjects';
import { newFingerprinting } from './fingerprinting';

const LOOPBACK = '127.0.0.1';
const AT_MOST_MS = 500;
/** By then the engine has compiled nearly all that it will compile. */
const LIVES = 1_000;
const CONNECTIONS = 32;
const ENGINES = 16;
const LOAD = {
  expireAfterMs: 600_000,
  finishedRetentionMs: 60_000,
  maxInFlight: LIVES,
  maxEngines: ENGINES,
} as const;

/** Resolves when it is over, whatever came of it: a replica that could not be warmed is only slower at first. */
export async function warmUp(dependencies: HttpDependencies): Promise<void> {
  const token = dependencies.randomBytes(16).toString('hex');
  const hub = new InProcessHub();
  // Two, since events are read as well as written.
  const [sender, receiver] = [scratchReplicator('warm-up-sender', hub), scratchReplicator('warm-up', hub)];
  const server = new HttpServer(
    {
      ...dependencies,
      accessTokens: new AccessTokens([token], undefined),
      replicator: sender.replicator,
      cache: undefined,
      engines: sender.replicator.loadStats.engines,
      registry: new Registry(),
      logger: pino({ level: 'silent' }),
    },
    httpLimits,
  );
  const late = AbortSignal.timeout(AT_MOST_MS);
  setMaxListeners(0, late);
  try {
    const port = await server.listen(LOOPBACK, 0);
    let lives = 0;
    const upTo = (most: number) => () =>
      lives < most ? requestsOf(`warm-up-${lives}`, lives++, token) : undefined;
    // One life alone at first: where time is short, each step of it has run at least.
    await live(port, upTo(1), late);
    await Promise.all(Array.from({ length: CONNECTIONS }, () => live(port, upTo(LIVES), late)));
  } catch {
    // No loopback, no port, or late: then not, or not all of it.
  }
  await server.stop(0);
  await Promise.all([sender.bus.stop(), receiver.bus.stop()]);
}

function scratchReplicator(origin: string, hub: InProcessHub) {
  const loadStats = new LoadStats(loadStatsOptions(LOAD, newFingerprinting()));
  const bus = new InProcessBus(hub, () => undefined);
  const replicator = new Replicator({
    loadStats,
    context: new CausalContext(contextOptions(loadStats.options)),
    bus,
    republisher: new Republisher(bus),
    nowUs: wallClock(),
    observeLatency: () => undefined,
    options: { origin, subjectPrefix: origin, ...LOAD },
  });
  bus.start({ [loadWildcard('warm-up-sender')]: (payload) => replicator.receive(payload) }, () => undefined);
  return { replicator, bus };
}

/** One connection, on which one request at a time is sent, as gateways do. Resolves when there is no life left. */
function live(port: number, nextLife: () => string[] | undefined, late: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    let requests: string[] = [];
    const socket = connect({ port, host: LOOPBACK, signal: late }, () => send());
    const send = (): void => {
      if (requests.length === 0) requests = nextLife() ?? [];
      const request = requests.shift();
      if (request === undefined) socket.destroy();
      else socket.write(request);
    };
    socket.on('data', send);
    socket.on('error', reject);
    socket.on('close', () => resolve());
  });
}

function requestsOf(id: string, number: number, token: string): string[] {
  const ip = `10.0.0.${number % ENGINES}`;
  const add = { request_id: id, cluster: 'warm-up', prompt_length: number, ip, timestamp: 1 };
  const deletion = { request_id: id, cluster: '', ip: '' };
  const request = (line: string, body?: object): string => {
    const text = body === undefined ? '' : JSON.stringify(body);
    const length = body === undefined ? '' : `Content-Length: ${text.length}\r\n`;
    const head = `${line} HTTP/1.1\r\nHost: ${LOOPBACK}\r\nAuthorization: Bearer ${token}\r\nTraceId: \r\n`;
    return `${head}${length}\r\n${text}`;
  };
  return [
    request('GET /v1/load/stats?cluster=warm-up'),
    request('POST /v1/load/stats', add),
    request('DELETE /v1/load/prompt', deletion),
    request('DELETE /v1/load/stats', deletion),
  ];
}
