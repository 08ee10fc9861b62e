/**
 * What the stream costs those who publish and those who subscribe: the same load with and without it, in turns on one
 * nats-server. A burst shows the throughput, a steady load the delay from publisher to subscriber.
 *
 * `npx tsc -p bench && node bench/build/bench/history/stream-cost.js [rounds]`, in the project's folder.
 */
import { readFileSync } from 'node:fs';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { setTimeout as delay } from 'node:timers/promises';
import { connect, StorageType, type JetStreamManager, type NatsConnection } from 'nats';
import { encodeEvent } from '../../src/wire/event-codec';
import { NatsServerProcess } from '../../test/support/nats-server';
import { NatsCluster } from '../../test/history/nats-cluster';

const ROUNDS = Number(process.argv[2] ?? 7);
const SUBJECT = 'bench.load.add';
const BURST = 100_000;
const STEADY = 10_000;
const STEADY_PER_MS = 5;
const STREAM = 'bench';

interface Figures {
  readonly burstPerS: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** Processor time of all servers; tells more than the clock where others use the machine too. */
  readonly serverCpuUs: number;
}

const nowUs = (): number => (performance.timeOrigin + performance.now()) * 1000;

function payload(seq: number): Buffer {
  return encodeEvent({
    type: 'add',
    origin: 'bench',
    seq,
    timeUs: Math.floor(nowUs()),
    requestId: `request-${seq}-7d1f4a52-9c35-4d3c-8a4e`,
    cluster: 'llama-3-70b',
    ip: '10.0.0.1',
    promptLength: 512,
    timestampNs: undefined,
  });
}

/** The publisher, in a thread of its own. */
async function publishOnDemand(): Promise<void> {
  const connection = await connect({ servers: String(workerData) });
  parentPort!.on('message', (how: 'burst' | 'steady' | 'end') => {
    if (how === 'end') void connection.close();
    else if (how === 'burst') void burst(connection);
    else void steady(connection);
  });
  parentPort!.postMessage('ready');
}

async function burst(connection: NatsConnection): Promise<void> {
  for (let seq = 1; seq <= BURST; seq++) {
    connection.publish(SUBJECT, payload(seq));
    if (seq % 500 === 0) await connection.flush();
  }
}

async function steady(connection: NatsConnection): Promise<void> {
  const started = performance.now();
  for (let seq = 1; seq <= STEADY;) {
    const due = Math.min(STEADY, (performance.now() - started) * STEADY_PER_MS);
    for (; seq <= due; seq++) connection.publish(SUBJECT, payload(seq));
    await delay(1);
  }
}

class Subscriber {
  private received = 0;
  private wanted = 0;
  private delaysUs: number[] = [];
  private done: () => void = () => undefined;

  constructor(connection: NatsConnection) {
    connection.subscribe('bench.load.*', {
      callback: (_error, { data }) => {
        const { time_us: timeUs } = JSON.parse(Buffer.from(data).toString()) as { time_us: number };
        this.delaysUs.push(nowUs() - timeUs);
        if (++this.received === this.wanted) this.done();
      },
    });
  }

  async receives(count: number, start: () => void): Promise<readonly number[]> {
    [this.received, this.wanted, this.delaysUs] = [0, count, []];
    const all = new Promise<void>((resolve) => (this.done = resolve));
    start();
    await all;
    return this.delaysUs.sort((a, b) => a - b);
  }
}

function cpuUs(servers: readonly NatsServerProcess[]): number {
  return servers.reduce((sum, { pid }) => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/.*\) /, '').split(' ');
    return sum + (Number(fields[11]) + Number(fields[12])) * 10_000;
  }, 0);
}

async function measure(
  subscriber: Subscriber,
  publisher: Worker,
  servers: readonly NatsServerProcess[],
): Promise<Figures> {
  const cpuBefore = cpuUs(servers);
  const started = performance.now();
  await subscriber.receives(BURST, () => publisher.postMessage('burst'));
  const burstPerS = BURST / ((performance.now() - started) / 1000);
  const delaysUs = await subscriber.receives(STEADY, () => publisher.postMessage('steady'));
  const at = (share: number): number => delaysUs[Math.floor(share * (delaysUs.length - 1))]!;
  const serverCpuUs = (cpuUs(servers) - cpuBefore) / (BURST + STEADY);
  return { burstPerS, p50Us: at(0.5), p99Us: at(0.99), serverCpuUs };
}

async function addStream(manager: JetStreamManager, replicas: number, storage: StorageType): Promise<void> {
  const limits = { max_age: 660e9, max_bytes: 256 * 1024 * 1024 };
  await manager.streams.add({
    name: STREAM,
    subjects: ['bench.load.*'],
    storage,
    num_replicas: replicas,
    ...limits,
  });
}

async function compare(
  what: string,
  servers: readonly NatsServerProcess[],
  replicas: number,
  storage: StorageType,
): Promise<void> {
  const [{ url }] = servers as [NatsServerProcess];
  const connection = await connect({ servers: url });
  const manager = await connection.jetstreamManager({ checkAPI: false, timeout: 10_000 });
  const subscriber = new Subscriber(connection);
  const publisher = new Worker(__filename, { workerData: url });
  await new Promise((resolve) => publisher.once('message', resolve));
  const rounds: [Figures, Figures][] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const off = await measure(subscriber, publisher, servers);
    await addStream(manager, replicas, storage);
    const on = await measure(subscriber, publisher, servers);
    await manager.streams.delete(STREAM);
    // The first round warms up.
    if (round > 0) rounds.push([on, off]);
  }
  for (const name of ['burstPerS', 'p50Us', 'p99Us', 'serverCpuUs'] as const) {
    const middle = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!;
    const ratio = middle(rounds.map(([on, off]) => on[name] / off[name]));
    const figures = [0, 1].map((i) => Math.round(10 * middle(rounds.map((round) => round[i]![name]))) / 10);
    process.stdout.write(
      `${what}: ${name} with ${figures[0]}, without ${figures[1]}, ratio ${ratio.toFixed(2)}\n`,
    );
  }
  publisher.postMessage('end');
  await connection.close();
  await publisher.terminate();
}

async function main(): Promise<void> {
  const config = 'jetstream: { store_dir: "{folder}", max_memory_store: 2GB, max_file_store: 2GB }';
  const nats = await NatsServerProcess.start({ config });
  await compare('memory', [nats], 1, StorageType.Memory);
  await compare('file', [nats], 1, StorageType.File);
  await nats.stop();
  const cluster = await NatsCluster.start();
  await delay(5_000);
  await compare('three servers, memory, R3', cluster.servers, 3, StorageType.Memory);
  await cluster.stop();
}

void (isMainThread ? main() : publishOnDemand());
