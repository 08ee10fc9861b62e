/**
 * Runs the way of a report, of a select and of a query, through the real HTTP code and over real sockets, before the first caller
 * comes: what runs for the first time is compiled first, and a gateway gives a replica 100 ms. All of it happens to a scratch view
 * that is thrown away, with metrics, a log and a token of its own: nothing shows in rows, metrics, logs, history or on the bus, and
 * nobody else is let in. The event loop takes turns between a few requests each, so the replica's own port answers meanwhile.
 */
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import pino from 'pino';
import { Registry } from 'prom-client';
import { InProcessBus, InProcessHub } from '../bus/in-process-bus';
import { CausalContext } from '../core/causal-context';
import { LoadStats } from '../core/load-stats';
import type { HttpDependencies } from '../http/dependencies';
import { httpServerOptions } from '../http/server-options';
import { HttpServer } from '../http/server';
import { wallClock } from '../replication/clock';
import { contextOptions, loadStatsOptions } from '../replication/limits';
import { Replicator } from '../replication/replicator';
import { Republisher } from '../replication/republisher';
import { Selector } from '../replication/selector';
import { ProtocolFault } from '../repair/protocol';
import { AccessTokens } from '../security/access-tokens';
import { WATCH_TIMES, Watchers } from '../watch/watchers';
import { loadWildcard } from '../wire/subjects';
import { newFingerprinting } from './fingerprinting';

const LOOPBACK = '127.0.0.1';
const AT_MOST_MS = 500;
/** More of them hold up the start, and a first burst is answered no sooner (bench/results/measured.md). */
const LIVES = 100;
/** At once. Few, so that no turn of the event loop is long: the requests of one life are sent at once. */
const CONNECTIONS = 8;
/** One of each kind, and few, so that opening and closing a connection is warm too. */
const LIVES_PER_CONNECTION = 2;
const ENGINES = 16;
const CANDIDATES = Array.from({ length: ENGINES }, (_, i) => `10.0.0.${i}`);
const STATUS_LINE = 'HTTP/1.1 ';
const WARMING = 'warming up';
const LOAD = {
  expireAfterMs: 600_000,
  finishedRetentionMs: 60_000,
  maxInFlight: LIVES,
  maxEngines: ENGINES,
  maxOwners: ENGINES,
} as const;

/** What the warm-up shares with the replica: nothing that it could leave a trace in. */
export type Shared = Pick<
  HttpDependencies,
  'messageClasses' | 'monotonicMs' | 'randomBytes' | 'copyPolicy' | 'version'
>;

/**
 * Resolves when it is over, whatever came of it: a replica that could not be warmed is only slower at first. `sharing`: whether
 * events go to other replicas and come from them.
 */
export async function warmUp(
  { messageClasses, monotonicMs, randomBytes, copyPolicy, version }: Shared,
  sharing: boolean,
): Promise<void> {
  const token = randomBytes(16).toString('hex');
  const hub = new InProcessHub();
  const sender = scratchReplicator('warm-up-sender', hub);
  const receiver = sharing ? scratchReplicator('warm-up-receiver', hub) : undefined;
  const { replicator } = sender;
  const { engines } = replicator.loadStats;
  const server = new HttpServer(
    {
      accessTokens: new AccessTokens([token], undefined),
      replicator,
      engines,
      owners: replicator.loadStats.owners,
      selector: new Selector(replicator, { caughtUp: () => true, degraded: () => false }, false),
      replica: { status: refuse, snapshot: refuse, cache: refuse },
      cache: undefined,
      watchers: new Watchers(engines, noState, noState, { ...WATCH_TIMES, origin: token, maxWatchers: 0 }),
      copyPolicy,
      readiness: () => ({ ready: false, reason: WARMING, body: {} }),
      logger: pino({ level: 'silent' }),
      registry: new Registry(),
      version,
      pages: [],
      messageClasses,
      monotonicMs,
      randomBytes,
    },
    httpServerOptions,
  );
  let lives = 0;
  let late = false;
  try {
    const port = await server.listen(LOOPBACK, 0);
    const isOver = (): boolean => late || lives >= LIVES;
    const connection = (most: number): Promise<void> =>
      live(port, () => (most-- > 0 && !isOver() ? requestsOf(lives++, token) : undefined));
    const oneAfterTheOther = async (): Promise<void> => {
      while (!isOver()) await connection(LIVES_PER_CONNECTION);
    };
    // One life of each kind alone at first: where time is short, each step of it has run at least.
    const all = connection(LIVES_PER_CONNECTION).then(() =>
      Promise.all(Array.from({ length: CONNECTIONS }, oneAfterTheOther)),
    );
    await Promise.race([all, delay(AT_MOST_MS, undefined, { ref: false })]);
  } catch {
    // No loopback, or no port: then not.
  }
  late = true;
  await server.stop(0);
  await Promise.all([sender.bus.stop(), receiver?.bus.stop()]);
}

const noState = (): object => ({});

function refuse(): never {
  throw new ProtocolFault('invalid', WARMING);
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

/** One connection, on which one life after the other is sent. Resolves when none is left. */
function live(port: number, nextLife: () => string[] | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    let answers = '';
    let awaited = 0;
    const send = (): void => {
      const requests = nextLife();
      if (requests === undefined) {
        socket.destroy();
        return;
      }
      answers = '';
      awaited = requests.length;
      socket.write(requests.join(''));
    };
    const socket = connect({ port, host: LOOPBACK }, send);
    socket.on('data', (chunk) => {
      answers += chunk.toString('latin1');
      if (answers.split(STATUS_LINE).length > awaited) send();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve());
  });
}

/** Every second request chooses its engine. */
function requestsOf(number: number, token: string): string[] {
  const id = `warm-up-${number}`;
  const ip = CANDIDATES[number % ENGINES]!;
  const of = { request_id: id, cluster: 'warm-up', prompt_length: number, timestamp: 1 };
  const deletion = { request_id: id, cluster: '', ip: '' };
  const request = (line: string, body?: object): string => {
    const text = body === undefined ? '' : JSON.stringify(body);
    const length = body === undefined ? '' : `Content-Length: ${text.length}\r\n`;
    const head = `${line} HTTP/1.1\r\nHost: ${LOOPBACK}\r\nAuthorization: Bearer ${token}\r\nTraceId: \r\n`;
    return `${head}${length}\r\n${text}`;
  };
  return [
    request('GET /v1/load/stats?cluster=warm-up'),
    number % 2 === 0
      ? request('POST /v1/load/stats', { ...of, ip })
      : request('POST /v1/load/select', { ...of, candidates: CANDIDATES }),
    request('DELETE /v1/load/prompt', deletion),
    request('DELETE /v1/load/stats', deletion),
  ];
}
