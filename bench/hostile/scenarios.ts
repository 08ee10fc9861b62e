/** Runs one kind of forged events against replicas with honest gateways beside them, and measures what both see. */
import { spawn, spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { exitOf, killWithParent } from '../../test/support/child-processes';
import type { NatsServerProcess } from '../../test/support/nats-server';
import type { ReplicaProcess } from '../../test/support/replica-process';
import { until } from '../../test/support/until';
import { rowsDifference } from '../cluster/drift';
import { Lanes } from '../load/lanes';
import { openLoop } from '../load/open-loop';
import { addRequest, queryPath } from '../load/requests';
import { LONG_TURNS, Replicas } from '../processes/replicas';
import { FORGED_CLUSTER, type Forgery } from './forger';
import type { Honest, HonestLatencies } from './honest';
import { ReadinessWatch } from './readiness-watch';

export interface Scenario {
  readonly name: string;
  readonly forgery: Forgery;
  /** NATS is gone from here to there. */
  readonly outageMs?: readonly [number, number];
}

const SECONDS = 10;
const ALL_CORES = `0-${cpus().length - 1}`;
const OTHER_CORES = `1-${cpus().length - 1}`;
export const SCENARIOS: readonly Scenario[] = [
  { name: 'nothing', forgery: { what: 'flood', count: 0, perSecond: 1 } },
  { name: 'gaps', forgery: { what: 'gaps', count: 300 * 1_024, perSecond: 38_400 } },
  { name: 'origins', forgery: { what: 'origins', count: 40_000, perSecond: 4_000, atOnce: 2_000 } },
  { name: 'flood', forgery: { what: 'flood', count: 37_000 * SECONDS, perSecond: 37_000 } },
  {
    name: 'outage',
    forgery: { what: 'mixed', count: 20_000 * SECONDS, perSecond: 20_000 },
    outageMs: [3_000, 6_000],
  },
];

/**
 * **shared**: three replicas, nats-server, forger and gateways have all cores together, so the clock says as much of the
 * machine as of a replica. **alone**: one replica has the first core, and the others have what is left.
 */
export type Setting = 'shared' | 'alone';
export const SETTINGS: readonly Setting[] = ['shared', 'alone'];

/** Requests a second of the honest, and for how long. */
const HONEST = 500;
const HONEST_MS = SECONDS * 1_000;
/** Requests that stay in flight: rows that are right must not all be 0. */
const RESIDENT = 100;
export const EQUAL_WITHIN_MS = 5_000;
/** Log levels of pino. */
const WARN = 40;

export interface Measured {
  readonly forgedPerSecond: number;
  /** The longest turn of the event loop of any replica. */
  readonly turnCpuMs: number;
  readonly turnClockMs: number;
  /** As the replicas' metrics have it. */
  readonly lagMaxMs: number;
  readonly p50: number;
  readonly p99: number;
  readonly worstP50: number;
  readonly worstP99: number;
  readonly otherStates: number;
  readonly warnings: number;
  readonly statusKib: number;
  readonly drift: number;
  readonly equalMs: number;
}

export async function measure({ forgery, outageMs }: Scenario, setting: Setting): Promise<Measured> {
  const replicas = await Replicas.start('127.79.1', setting === 'alone' ? 1 : 3, {}, '', LONG_TURNS);
  const { members, nats } = replicas;
  try {
    if (setting === 'alone') apart(members[0]!, nats);
    await addResidents(members);
    const watch = new ReadinessWatch(members);
    await watch.allReady();
    const from = Date.now();
    const honest = run<HonestLatencies>('honest.js', JSON.stringify(honestOf(members)));
    const forger = run<{ published: number; tookMs: number }>('forger.js', JSON.stringify(forgery), nats.url);
    if (outageMs) {
      await delay(outageMs[0]);
      await nats.kill();
      await delay(outageMs[1] - outageMs[0]);
      await nats.run();
    }
    const { published, tookMs } = await forger;
    const { p50, p99, p50s, p99s } = await honest;
    const overMs = performance.now();
    const drift = await rowsDifference(members, RESIDENT);
    const equalMs = await whenEqual(members, overMs);
    const seen = await watch.end();
    const turns = members.flatMap(({ log }) =>
      log.filter(({ msg, time }) => msg === 'long turn' && Date.parse(String(time)) > from),
    );
    return {
      forgedPerSecond: (published * 1000) / tookMs || 0,
      turnCpuMs: Math.max(0, ...turns.map(({ cpu_ms }) => Number(cpu_ms))),
      turnClockMs: Math.max(0, ...turns.map(({ clock_ms }) => Number(clock_ms))),
      lagMaxMs: seen.lagMaxMs,
      p50,
      p99,
      worstP50: Math.max(...p50s),
      worstP99: Math.max(...p99s),
      otherStates: seen.otherStates,
      statusKib: seen.statusKib,
      warnings: Math.max(...members.map(warningsOf)),
      drift,
      equalMs,
    };
  } finally {
    together();
    await replicas.stop();
  }
}

/**
 * The replica has the first core alone, also where the machine has other things to do; nats-server, this process and all that
 * it starts from now on have the others.
 */
function apart(replica: ReplicaProcess, nats: NatsServerProcess): void {
  spawnSync('renice', ['-n', '-10', '-g', String(replica.pid)]);
  keepTo('0', replica.pid);
  for (const pid of [nats.pid, process.pid]) keepTo(OTHER_CORES, pid);
}

/** All threads that it has. */
function keepTo(cores: string, pid: number): void {
  spawnSync('taskset', ['-a', '-c', '-p', cores, String(pid)]);
}

/** Undoes it for this process. */
function together(): void {
  keepTo(ALL_CORES, process.pid);
}

function honestOf(members: readonly ReplicaProcess[]): Honest {
  const targets = members.map(({ host, port }) => ({ host, port }));
  return { targets, perSecond: HONEST, durationMs: HONEST_MS, firstNumber: RESIDENT };
}

async function addResidents(members: readonly ReplicaProcess[]): Promise<void> {
  const lanes = await Lanes.open(members, 8);
  await openLoop(lanes, addRequest, 1_000, RESIDENT);
  lanes.close();
}

/** Runs a script of this folder as a process of its own; answers what it says. */
async function run<T>(script: string, ...args: string[]): Promise<T> {
  const child = spawn(process.execPath, [join(__dirname, script), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  killWithParent(child);
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await exitOf(child);
  return JSON.parse(output) as T;
}

/** In how many milliseconds all rows of all replicas are the same, what was forged too; Infinity if never. */
async function whenEqual(members: readonly ReplicaProcess[], sinceMs: number): Promise<number> {
  const paths = [queryPath(), queryPath(FORGED_CLUSTER)];
  const rowsOf = async ({ url }: ReplicaProcess): Promise<string> => {
    const rows = paths.map(async (path) => {
      const { data } = (await (await fetch(url + path)).json()) as {
        data: { ip: string; queued_req_num: number; prompt_length: number }[];
      };
      return data
        .map(({ ip, queued_req_num, prompt_length }) => `${ip} ${queued_req_num} ${prompt_length}`)
        .sort();
    });
    return JSON.stringify(await Promise.all(rows));
  };
  await until(async () => new Set(await Promise.all(members.map(rowsOf))).size === 1, {
    timeoutMs: EQUAL_WITHIN_MS * 6,
    describe: 'all rows are equal',
  }).catch(() => undefined);
  return performance.now() - sinceMs;
}

function warningsOf({ log }: ReplicaProcess): number {
  return log.filter(({ level }) => level === 'warn' || Number(level) >= WARN).length;
}
