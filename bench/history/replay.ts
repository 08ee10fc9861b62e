/**
 * The replay of 1,000,000 events, by a replica that starts and by one that is serving: time, memory, event-loop delay.
 *
 * `npx tsc -p bench && node bench/build/bench/history/replay.js [events]`, in the project's folder, after `npm run build`.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connect } from 'nats';
import type { LoadEvent } from '../../src/core/event';
import { encodeEvent } from '../../src/wire/event-codec';
import { subjectOf } from '../../src/wire/subjects';
import { freePort } from '../../test/support/free-port';
import { NatsServerProcess } from '../../test/support/nats-server';
import { until } from '../../test/support/until';

const EVENTS = Number(process.argv[2] ?? 1_000_000);
/** Of so many requests one stays in flight; the others are prefilled and finished. */
const ONE_STAYS_OF = 20;
const PREFIX = 'metadata-center';
const PROBE_MS = 5;
const MIB = 1024 * 1024;

interface Running {
  readonly child: ChildProcess;
  readonly url: string;
}

async function startReplica(natsUrl: string): Promise<Running> {
  const port = await freePort();
  const child = spawn(process.execPath, [join(process.cwd(), 'dist', 'main.js')], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      PATH: process.env['PATH'],
      HTTP_HOST: '127.0.0.1',
      HTTP_PORT: String(port),
      NATS_URL: natsUrl,
      NATS_HISTORY_MAX_BYTES: String(1024 * MIB),
      METADATA_CENTER_READY_TIMEOUT: '2m',
    },
  });
  process.once('exit', () => child.kill('SIGKILL'));
  return { child, url: `http://127.0.0.1:${port}` };
}

async function ready({ url }: Running): Promise<void> {
  const isReady = async (): Promise<boolean> => (await fetch(`${url}/readyz`)).ok;
  await until(isReady, { timeoutMs: 120_000, intervalMs: 20, describe: 'the replica is ready' });
}

async function metric({ url }: Running, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1]);
}

function cpuS({ child }: Running): number {
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').replace(/.*\) /, '').split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Not from the metrics: a scrape resets the histogram of the event loop. */
async function replayedBy({ url }: Running): Promise<number> {
  const { data } = (await (await fetch(`${url}/readyz`)).json()) as {
    data: { history: { replayed: number } };
  };
  return data.history.replayed;
}

function memoryMib({ child }: Running, field: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1]) / 1024;
}

function* events(): Generator<LoadEvent> {
  let seq = 0;
  const next = () => ({ origin: 'bench', seq: ++seq, timeUs: Date.now() * 1000 });
  for (let n = 0; seq < EVENTS; n++) {
    const requestId = `request-${n}-7d1f4a52-9c35-4d3c-8a4e`;
    const ip = `10.0.0.${n % 64}`;
    const add = { requestId, cluster: 'llama-3-70b', ip, promptLength: n % 4000, timestampNs: BigInt(n) };
    yield { type: 'add', ...next(), ...add };
    if (n % ONE_STAYS_OF === 0) continue;
    yield { type: 'prompt-delete', ...next(), requestId };
    yield { type: 'delete', ...next(), requestId };
  }
}

/** Node's histogram counts from one look to the next: an event loop that is never late shows this much. */
const LOOK_EVERY_MS = 10;

/** How long queries took and how late the event loop was at the most, while `work` goes on. */
async function probed(replica: Running, work: Promise<unknown>): Promise<Record<string, number>> {
  await metric(replica, 'nodejs_eventloop_lag_max_seconds');
  const tookMs: number[] = [];
  const state = { over: false };
  const done = work.finally(() => (state.over = true));
  while (!state.over) {
    const started = performance.now();
    await (await fetch(`${replica.url}/v1/load/stats?cluster=llama-3-70b`)).arrayBuffer();
    tookMs.push(performance.now() - started);
    await delay(PROBE_MS);
  }
  await done;
  tookMs.sort((a, b) => a - b);
  const at = (share: number): number => tookMs[Math.floor(share * (tookMs.length - 1))]!;
  const loopMostMs = (await metric(replica, 'nodejs_eventloop_lag_max_seconds')) * 1000 - LOOK_EVERY_MS;
  return { queryP50Ms: at(0.5), queryP99Ms: at(0.99), queryMostMs: at(1), loopMostMs };
}

async function main(): Promise<void> {
  const nats = await NatsServerProcess.start({
    config: 'jetstream: { store_dir: "{folder}", max_memory_store: 2GB }',
  });
  const serving = await startReplica(nats.url);
  await ready(serving);
  const connection = await connect({ servers: nats.url });
  let last = 0;
  for (const event of events()) {
    connection.publish(subjectOf(PREFIX, event.type), encodeEvent(event));
    last = event.seq;
    if (last % 1000 !== 0) continue;
    await connection.flush();
    await delay(20);
  }
  await connection.flush();
  await until(async () => (await metric(serving, 'metacenter_history_messages')) >= EVENTS, {
    describe: 'the stream has everything',
    timeoutMs: 30_000,
  });
  const bytes = await metric(serving, 'metacenter_history_bytes');
  show('stream', { messages: last, mib: bytes / MIB });

  show('serving, undisturbed', await probed(serving, delay(5_000)));
  const [before, rss] = [await replayedBy(serving), memoryMib(serving, 'VmRSS')];
  const cpuBefore = cpuS(serving);
  // A seq that nobody has: the replica looks for it in its history, at first in what came lately.
  const hole = { origin: 'bench', seq: last + 2, timeUs: Date.now() * 1000, requestId: 'request-0' };
  connection.publish(subjectOf(PREFIX, 'prompt-delete'), encodeEvent({ type: 'prompt-delete', ...hole }));
  const replay = until(async () => (await replayedBy(serving)) - before >= EVENTS, {
    timeoutMs: 120_000,
    intervalMs: 50,
    describe: 'the serving replica has replayed',
  });
  show('serving, during a replay', {
    ...(await probed(serving, replay)),
    replayMs: await metric(serving, 'metacenter_history_replay_duration_ms'),
    rssMib: memoryMib(serving, 'VmRSS'),
    cpuS: cpuS(serving) - cpuBefore,
    rssBeforeMib: rss,
  });
  serving.child.kill('SIGKILL');

  const started = performance.now();
  const starting = await startReplica(nats.url);
  await ready(starting);
  show('starting', {
    readyMs: performance.now() - started,
    replayMs: await metric(starting, 'metacenter_history_replay_duration_ms'),
    messages: await metric(starting, 'metacenter_history_replayed_total'),
    cpuS: cpuS(starting),
    rssMib: memoryMib(starting, 'VmRSS'),
    rssMostMib: memoryMib(starting, 'VmHWM'),
  });
  await connection.close();
  starting.child.kill('SIGKILL');
  await nats.stop();
}

function show(what: string, figures: Record<string, number>): void {
  const text = Object.entries(figures).map(([name, value]) => `${name} ${Math.round(value * 100) / 100}`);
  process.stdout.write(`${what}: ${text.join(', ')}\n`);
}

void main();
