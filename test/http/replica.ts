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
import type { Readiness, ReplayPolicy } from '../../src/http/dependencies';
import { type HttpLimits, httpLimits } from '../../src/http/limits';
import { HttpServer } from '../../src/http/server';
import { wallClock } from '../../src/replication/clock';
import { Replicator } from '../../src/replication/replicator';
import { closeConnections } from './client';

export interface ReplicaOptions {
  readonly limits?: Partial<HttpLimits>;
  readonly replayPolicy?: ReplayPolicy;
  readonly readiness?: () => Readiness;
  readonly maxInFlight?: number;
  readonly maxEngines?: number;
  readonly finishedCeiling?: number;
  readonly logLevel?: string;
  readonly port?: number;
}

export interface Replica {
  readonly port: number;
  readonly replicator: Replicator;
  readonly registry: Registry;
  /** Every log line so far, parsed. */
  readonly log: readonly Record<string, unknown>[];
  /** How many reports were applied so far, and with them events made. */
  events(): number;
  stop(withinMs?: number): Promise<void>;
}

const MINUTE_US = 60_000_000;

const running = new Set<Replica>();

/** For `afterAll`: whatever a test started and has not stopped, failed or not. */
export async function stopReplicas(): Promise<void> {
  closeConnections();
  await Promise.all([...running].map((replica) => replica.stop(100)));
}

export async function startReplica(options: ReplicaOptions = {}): Promise<Replica> {
  const { maxInFlight = 100_000, maxEngines = 10_000, finishedCeiling = 200_000 } = options;
  const loadStats = new LoadStats({
    expireAfterUs: 10 * MINUTE_US,
    finishedRetentionUs: MINUTE_US,
    inFlightCeiling: 2 * maxInFlight,
    engineCeiling: 2 * maxEngines,
    finishedCeiling,
    waitingCeiling: finishedCeiling,
  });
  const context = new CausalContext({ forgetAfterUs: 30 * MINUTE_US, maxOrigins: 10, maxIntervals: 100 });
  const replicator = new Replicator(loadStats, context, busThatIsDown, wallClock(), () => undefined, {
    origin: 'origin-under-test',
    subjectPrefix: 'test',
    maxInFlight,
    maxEngines,
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
      replayPolicy: options.replayPolicy ?? 'reject',
      readiness: options.readiness ?? (() => ({ ready: true, body: { why: [] } })),
      logger: pino(
        { level: options.logLevel ?? 'info' },
        { write: (line: string) => void log.push(JSON.parse(line) as Record<string, unknown>) },
      ),
      registry,
      monotonicMs: () => performance.now(),
      randomBytes,
    },
    { ...httpLimits, ...options.limits },
  );
  const port = await server.listen('127.0.0.1', options.port ?? 0);
  const replica: Replica = {
    port,
    replicator,
    registry,
    log,
    events: () => replicator.highestSeq,
    stop: async (withinMs = 5_000) => {
      running.delete(replica);
      await server.stop(withinMs);
    },
  };
  running.add(replica);
  return replica;
}

const busThatIsDown: Bus = {
  connected: false,
  reason: 'down',
  start: () => undefined,
  publish: () => false,
  stop: () => Promise.resolve(),
};
