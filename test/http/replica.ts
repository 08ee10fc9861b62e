/**
 * A replica's HTTP side on a real port, over the real view and replicator, with the knobs that HTTP tests need: limits of
 * the server, readiness, and what was logged. Its bus is down: nothing here is about other replicas.
 */
import { randomBytes } from 'node:crypto';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import type { Bus } from '../../src/bus/bus';
import { CausalContext } from '../../src/core/causal-context';
import { LoadStats } from '../../src/core/load-stats';
import { readPages } from '../../src/dashboard/pages';
import type { Readiness, ReplayPolicy } from '../../src/http/dependencies';
import { type HttpLimits, httpLimits } from '../../src/http/limits';
import { HttpServer } from '../../src/http/server';
import { wallClock } from '../../src/replication/clock';
import { Replicator } from '../../src/replication/replicator';
import { WATCH_TIMES, Watchers } from '../../src/watch/watchers';

export interface ReplicaOptions {
  readonly limits?: Partial<HttpLimits>;
  readonly replayPolicy?: ReplayPolicy;
  readonly readiness?: () => Readiness;
  readonly maxInFlight?: number;
  readonly maxEngines?: number;
  readonly finishedCeiling?: number;
  readonly maxWatchers?: number;
  readonly heartbeatMs?: number;
  readonly expireAfterMs?: number;
  readonly logLevel?: string;
  readonly port?: number;
}

export interface Replica {
  readonly port: number;
  readonly replicator: Replicator;
  readonly watchers: Watchers;
  readonly registry: Registry;
  /** Every log line so far, parsed. */
  readonly log: readonly Record<string, unknown>[];
  /** How many reports were applied so far, and with them events made. */
  events(): number;
  /** Drops what is past its time. */
  expire(): void;
  stop(withinMs?: number): Promise<void>;
}

export const readyBody = {
  ready: true,
  degraded: false,
  reason: 'there is no peer',
  replica: 'origin-under-test',
  bus: { connected: true, reason: '' },
  peers: {},
  history: { state: 'none' },
  missing_events: 0,
};

const MINUTE_US = 60_000_000;

export async function startReplica(options: ReplicaOptions = {}): Promise<Replica> {
  const { maxInFlight = 100_000, maxEngines = 10_000, finishedCeiling = 200_000 } = options;
  const loadStats = new LoadStats({
    expireAfterUs: options.expireAfterMs === undefined ? 10 * MINUTE_US : options.expireAfterMs * 1000,
    finishedRetentionUs: MINUTE_US,
    inFlightCeiling: 2 * maxInFlight,
    engineCeiling: 2 * maxEngines,
    finishedCeiling,
    waitingCeiling: finishedCeiling,
  });
  const context = new CausalContext({ forgetAfterUs: 30 * MINUTE_US, maxOrigins: 10, maxIntervals: 100 });
  const nowUs = wallClock();
  const replicator = new Replicator(loadStats, context, busThatIsDown, nowUs, () => undefined, {
    origin: 'origin-under-test',
    subjectPrefix: 'test',
    maxInFlight,
    maxEngines,
  });
  const watchers = new Watchers(loadStats.engines, () => ({ replica: 'origin-under-test' }), {
    ...WATCH_TIMES,
    origin: 'origin-under-test',
    maxWatchers: options.maxWatchers ?? 1_000,
    ...(options.heartbeatMs !== undefined && { heartbeatMs: options.heartbeatMs }),
  });
  const log: Record<string, unknown>[] = [];
  const registry = new Registry();
  const server = new HttpServer(
    {
      replicator,
      replica: {
        status: () => {
          throw new Error('not under test');
        },
        snapshot: () => [],
        nudged: () => undefined,
      },
      watchers,
      replayPolicy: options.replayPolicy ?? 'reject',
      readiness: options.readiness ?? (() => ({ ready: true, body: readyBody })),
      logger: pino(
        { level: options.logLevel ?? 'info' },
        { write: (line: string) => void log.push(JSON.parse(line) as Record<string, unknown>) },
      ),
      registry,
      version: '0.0.0-test',
      pages: readPages(),
      monotonicMs: () => performance.now(),
      randomBytes,
    },
    { ...httpLimits, ...options.limits },
  );
  const port = await server.listen('127.0.0.1', options.port ?? 0);
  return {
    port,
    replicator,
    watchers,
    registry,
    log,
    events: () => replicator.highestSeq,
    expire: () => void loadStats.expire(nowUs(), 1_000),
    stop: (withinMs = 5_000) => {
      watchers.stop();
      return server.stop(withinMs);
    },
  };
}

const busThatIsDown: Bus = {
  connected: false,
  reason: 'down',
  start: () => undefined,
  publish: () => false,
  stop: () => Promise.resolve(),
};
