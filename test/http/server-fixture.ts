/**
 * The HTTP side alone on a real port, over a real view and replicator: for what the environment cannot set, such as the
 * server's options and a replica that is not ready. Everything else is tested on a whole replica.
 */
import { randomBytes } from 'node:crypto';
import { Registry } from 'prom-client';
import { newFingerprinting } from '../../src/composition/fingerprinting';
import type { Bus } from '../../src/bus/bus';
import { CausalContext } from '../../src/core/causal-context';
import { LoadStats } from '../../src/core/load-stats';
import type { Readiness } from '../../src/http/dependencies';
import { type HttpServerOptions, httpServerOptions } from '../../src/http/server-options';
import { HttpServer } from '../../src/http/server';
import { createMessageClasses } from '../../src/http/api-request';
import { createLogger } from '../../src/observability/logger';
import { wallClock } from '../../src/replication/clock';
import { Replicator } from '../../src/replication/replicator';
import { Selector } from '../../src/replication/selector';
import { Republisher } from '../../src/replication/republisher';
import { WATCH_TIMES, Watchers } from '../../src/watch/watchers';
import { type LogLine, type Replica, running } from './replica';

export interface ServerOptions {
  /** What a replica that asks is sent. */
  readonly snapshot?: () => Iterable<string>;
  readonly http?: Partial<HttpServerOptions>;
  readonly readiness?: () => Readiness;
  readonly finishedCeiling?: number;
  readonly caughtUp?: () => boolean;
  readonly keepAliveMs?: number;
  readonly port?: number;
}

export const readyBody = {
  ready: true,
  degraded: false,
  reason: 'there is no peer',
  replica: 'origin-under-test',
  deployment: 'test',
  speaks: 1,
  fleet_speaks: 1,
  bus: { connected: true, reason: '' },
  discovery: { state: 'none', reason: '' },
  peers: {},
  history: { state: 'none', available: false, reason: '' },
  missing_events: 0,
  limits: {},
};

const MINUTE_US = 60_000_000;

export interface ScratchOptions {
  readonly bus: Bus;
  readonly nowUs: () => number;
  readonly maxInFlight?: number;
  readonly maxEngines?: number;
  readonly finishedCeiling?: number;
}

/** A view of its own and what reports go through to reach it. */
export function scratchReplicator({
  bus,
  nowUs,
  maxInFlight = 1_000,
  maxEngines = 1_000,
  finishedCeiling = 1_000,
}: ScratchOptions): Replicator {
  return new Replicator({
    loadStats: new LoadStats({
      expireAfterUs: 10 * MINUTE_US,
      finishedRetentionUs: MINUTE_US,
      inFlightCeiling: 1_000,
      engineCeiling: 1_000,
      finishedCeiling,
      waitingCeiling: finishedCeiling,
      ownerCeiling: 100,
      fingerprinting: newFingerprinting(),
    }),
    context: new CausalContext({
      forgetAfterUs: 30 * MINUTE_US,
      maxOrigins: 10,
      maxIntervals: 100,
      maxIntervalsInAll: 1000,
    }),
    bus,
    republisher: new Republisher(bus),
    nowUs,
    observeLatency: () => undefined,
    options: { origin: 'origin-under-test', subjectPrefix: 'test', maxInFlight, maxEngines, maxOwners: 100 },
  });
}

export async function startServer(options: ServerOptions = {}): Promise<Replica> {
  const { finishedCeiling = 1_000 } = options;
  const replicator = scratchReplicator({ bus: busThatIsDown, nowUs: wallClock(), finishedCeiling });
  const { loadStats } = replicator;
  const watchers = new Watchers(
    loadStats.engines,
    () => readyBody,
    () => ({}),
    {
      ...WATCH_TIMES,
      origin: 'origin-under-test',
      maxWatchers: 10,
      ...(options.keepAliveMs !== undefined && { keepAliveMs: options.keepAliveMs }),
    },
  );
  const log: LogLine[] = [];
  const registry = new Registry();
  const server = new HttpServer(
    {
      accessTokens: undefined,
      replicator,
      engines: loadStats.engines,
      owners: loadStats.owners,
      selector: new Selector(
        replicator,
        { caughtUp: options.caughtUp ?? (() => true), degraded: () => true },
        false,
      ),
      replica: {
        status: () => {
          throw new Error('not under test');
        },
        snapshot: options.snapshot ?? (() => []),
        cache: () => [],
      },
      cache: undefined,
      watchers,
      copyPolicy: 'reject',
      readiness: options.readiness ?? (() => ({ ready: true, reason: readyBody.reason, body: readyBody })),
      logger: createLogger('info', 'origin-under-test', {
        write: (line) => void log.push(JSON.parse(line) as LogLine),
      }),
      registry,
      version: 'under-test',
      pages: [],
      messageClasses: createMessageClasses(() => performance.now()),
      monotonicMs: () => performance.now(),
      randomBytes,
    },
    { ...httpServerOptions, ...options.http },
  );
  const port = await server.listen('127.0.0.1', options.port ?? 0);
  const replica: Replica = {
    port,
    replicator,
    watchers,
    log,
    sockets: server['sockets'],
    stop: (withinMs = 1_000) => {
      running.delete(replica);
      watchers.stop();
      return server.stop(withinMs);
    },
  };
  running.add(replica);
  return replica;
}

const busThatIsDown: Bus = {
  connected: false,
  reason: 'down',
  alone: false,
  start: () => undefined,
  publish: () => false,
  whenWritten: (callback) => callback(),
  stop: () => Promise.resolve(),
};
