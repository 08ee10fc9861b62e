/** A whole replica within the test's process, alone on the in-process bus, on a port of its own. */
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { App } from '../../src/app';
import { parseConfig } from '../../src/config/config';
import { createLogger } from '../../src/observability/logger';
import type { Replicator } from '../../src/replication/replicator';
import type { Watchers } from '../../src/watch/watchers';
import { until } from '../support/until';
import { closeConnections } from './client';

export type LogLine = Readonly<Record<string, unknown>>;

export interface Replica {
  readonly port: number;
  readonly replicator: Replicator;
  readonly watchers: Watchers;
  /** Every log line so far. */
  readonly log: readonly LogLine[];
  /** Its connections. */
  readonly sockets: ReadonlySet<Socket>;
  stop(withinMs?: number): Promise<void>;
}

export const running = new Set<Replica>();

/** For `afterAll`: whatever a test started and has not stopped, failed or not. */
export async function stopReplicas(): Promise<void> {
  closeConnections();
  await Promise.all([...running].map((replica) => replica.stop(100)));
}

/** One replica for all tests of a file. */
export function oneReplica(take: (replica: Replica) => void): void {
  beforeAll(async () => take(await startReplica()));
  afterAll(stopReplicas);
}

export async function startReplica(
  env: Readonly<Record<string, string>> = {},
  warmsUp = false,
): Promise<Replica> {
  const config = parseConfig({ HTTP_HOST: '127.0.0.1', HTTP_PORT: '0', ...env });
  const log: LogLine[] = [];
  const logger = createLogger(config.logLevel, 'origin-under-test', {
    write: (line) => void log.push(JSON.parse(line) as LogLine),
  });
  const app = new App(config, {
    origin: randomBytes(12).toString('base64url'),
    version: 'under-test',
    logger,
    logDropped: () => 0,
    warmsUp,
  });
  const port = await app.start();
  const replica: Replica = {
    port,
    replicator: app['replicator'],
    watchers: app['streams'].watchers,
    log,
    sockets: app['http']['sockets'],
    stop: () => {
      running.delete(replica);
      return app.stop();
    },
  };
  running.add(replica);
  await until(() => app['report'].ready, { describe: 'the replica is ready' });
  return replica;
}
