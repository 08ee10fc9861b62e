/** A new process runs its own hot path before it is ready: what the first caller needs is there, and nothing else of it is left. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'nats';
import { call, callJson, del, delPrompt, post, rows, select } from '../http/client';
import { startReplica, stopReplicas } from '../http/replica';
import { CleanUp } from '../support/clean-up';
import { freePort } from '../support/free-port';
import { NatsServerProcess } from '../support/nats-server';
import { ReplicaProcess } from '../support/replica-process';
import { until } from '../support/until';

const cleanUp = new CleanUp();
afterEach(async () => {
  await stopReplicas();
  await cleanUp.run();
});

it('leaves no trace in rows, metrics, log, counts or on the bus (I8)', async () => {
  const nats = await NatsServerProcess.start();
  cleanUp.add(() => nats.stop());
  const tap = await connect({ servers: nats.url });
  cleanUp.add(() => tap.close());
  const subjects = new Set<string>();
  tap.subscribe('>', { callback: (_error, { subject }) => void subjects.add(subject) });
  await tap.flush();

  const { port, log, replicator } = await startReplica(
    { NATS_URL: nats.url, METADATA_CENTER_READY_TIMEOUT: '100ms', LOG_LEVEL: 'trace' },
    true,
  );
  expect(replicator.highestSeq).toBe(0);
  expect(new Set(Object.values(replicator.counts.published))).toEqual(new Set([0]));
  expect(replicator.context.originCount).toBe(1);
  expect(log.map(({ msg }) => msg)).not.toContain('request');
  const { text: metrics } = await call(port, 'GET', '/metrics');
  expect(metrics).not.toContain('/v1/load');
  expect(metrics).not.toContain('metacenter_selects_total{');
  expect((await callJson(port, 'GET', '/v1/clusters')).envelope.data).toEqual([]);
  expect(JSON.stringify(log) + metrics).not.toContain('warm-up');
  await tap.flush();
  expect([...subjects].filter((subject) => subject.includes('.load.'))).toEqual([]);
});

it('leaves the port answering, which says that the replica is not ready yet', async () => {
  const port = await freePort();
  const starting = startReplica({ HTTP_PORT: String(port) }, true);
  const reasons = new Set<unknown>();
  await until(
    async () => {
      const { status, envelope } = await callJson(port, 'GET', '/readyz');
      reasons.add((envelope.data as { reason: string }).reason);
      return status === 200;
    },
    { intervalMs: 1, describe: () => `it is ready, not ${[...reasons].join(', ')}` },
  );
  expect([...reasons]).toContain('warming up');
  await starting;
});

/** What is on the way of a request and runs for the first time with the first callers of a new process. */
async function firstRuns(): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'warm-up-'));
  cleanUp.add(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'v8.log');
  const nodeOptions = ['--log-function-events', '--no-logfile-per-isolate', `--logfile=${file}`];
  const replica = await ReplicaProcess.start({ nodeOptions, warm: true });
  cleanUp.add(() => replica.kill());
  const before = readFileSync(file, 'utf8');
  await Promise.all(
    Array.from({ length: 20 }, async (_, i) => {
      const life = { cluster: 'c', request_id: `r${i}`, ip: '10.0.0.1' };
      for (const step of [post, delPrompt, del]) await step(replica.port, life);
      await select(replica.port, { cluster: 'c', request_id: `s${i}`, candidates: ['10.0.0.1', '10.0.0.2'] });
      await rows(replica.port, 'c');
    }),
  );
  const log = readFileSync(file, 'utf8');
  const scripts = new Map(
    [...log.matchAll(/^script-details,(\d+),(.*)$/gm)].map(([, id, path]) => [id, path]),
  );
  const functionsIn = (lines: string): string[] =>
    [...lines.matchAll(/^function,first-execution,(\d+),.*,(.*)$/gm)]
      .map(([, id, name]) => `${scripts.get(id)} ${name}`)
      .filter((at) => /dist\/(http|wire)\/|node_modules\/(express|router)\//.test(at));
  expect(functionsIn(before).length).toBeGreaterThan(60);
  return functionsIn(log.slice(before.length));
}

it('leaves no function on the way of a request that runs for the first time with the first callers', async () => {
  // On a machine so busy that half a second is not enough for a single life, another process may have more luck.
  let functions: string[] = [];
  for (let attempt = 0; attempt < 3; attempt++) {
    functions = await firstRuns();
    if (functions.length === 0) break;
  }
  expect(functions).toEqual([]);
}, 120_000);
