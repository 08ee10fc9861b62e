/**
 * What the prefix cache costs the load events beside it: three replicas under the same lives of requests, with and without saves, round
 * by round. And what the index takes for an entry and for a hash, in a fresh process.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ReplicationLatency } from '../cluster/replication-latency';
import { Lanes } from '../load/lanes';
import { isAdd, Lives } from '../load/lives';
import { openLoop } from '../load/open-loop';
import { cacheSaveRequest } from '../load/requests';
import { Replicas } from '../processes/replicas';
import { Collected, type Part, type Row, ratios } from '../report/rows';
import type { CacheMeasures } from './cache-run';

const LIVES = 1_000;
const STEPS = 4;
const SAVES = 500;
const CHUNKS = 64;
/** Between the steps of a request's life. */
const STEP_MS = 400;
const ROUND_MS = 5_000;
const WARM_UP_MS = 8_000;
const LANES = 48;
const SAVE_LANES = 16;
/** Processes of a full index take seconds. */
const MOST_INDEX_ROUNDS = 3;
const WAYS = ['without', 'with'] as const;
type Way = (typeof WAYS)[number];

export const cachePart: Part = {
  name: 'cache',
  async run({ rounds, say }) {
    const results = new Collected();
    for (let round = 0; round < Math.min(rounds, MOST_INDEX_ROUNDS); round++) {
      say(`the index, round ${round + 1}`);
      for (const [name, value] of Object.entries(measureIndex())) results.add(name, value as number);
    }
    const replicas = await Replicas.start('127.77.8', 3);
    try {
      const beside = new Beside(replicas);
      for (const way of WAYS) await beside.run(way, WARM_UP_MS);
      for (let round = 0; round < rounds; round++) {
        say(`lives with and without saves, round ${round + 1} of ${rounds}`);
        for (const way of round % 2 === 0 ? WAYS : [...WAYS].reverse()) {
          const measured = await beside.run(way, ROUND_MS);
          for (const [name, value] of Object.entries(measured)) results.add(`${way} ${name}`, value);
        }
      }
    } finally {
      await replicas.stop();
    }
    return rowsOf(results);
  },
};

/** Lives of requests, alone or with saves beside them. */
class Beside {
  private readonly lives = new Lives(0);
  private saves = 0;

  constructor(private readonly replicas: Replicas) {}

  async run(way: Way, durationMs: number): Promise<{ add: number; replication: number; cpu: number }> {
    const { members } = this.replicas;
    const lanes = await Lanes.open(members, LANES);
    const saveLanes = await Lanes.open(members, SAVE_LANES);
    const requestOf = this.lives.overlapping((LIVES * durationMs) / 1_000, (LIVES * STEP_MS) / 1_000);
    const saveOf = (): string => cacheSaveRequest(this.saves++, CHUNKS);
    const totalMs = durationMs + (STEPS - 1) * STEP_MS;
    const latency = await ReplicationLatency.begin(members);
    const cpuBefore = this.replicas.cpuSeconds();
    try {
      const [adds] = await Promise.all([
        openLoop(lanes, requestOf, LIVES * STEPS, totalMs, isAdd),
        way === 'with' && openLoop(saveLanes, saveOf, SAVES, totalMs),
      ]);
      const cpu = ((this.replicas.cpuSeconds() - cpuBefore) * 1_000) / (totalMs / 1_000);
      return { add: adds.percentileMs(0.99), replication: (await latency.end())(0.99), cpu };
    } finally {
      lanes.close();
      saveLanes.close();
    }
  }
}

function measureIndex(): CacheMeasures {
  const args = ['--expose-gc', join(__dirname, 'cache-run.js')];
  const { stdout, status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as CacheMeasures;
}

function rowsOf(results: Collected): Row[] {
  const row = (name: string, unit: string, values: readonly number[], target?: Row['target']): Row => ({
    part: 'cache',
    name,
    unit,
    values,
    ...(target && { target }),
  });
  const lives = `${LIVES.toLocaleString('en')} lives/s`;
  const saves = `${SAVES} saves/s of ${CHUNKS}`;
  const beside = (measure: string, name: string, unit: string): Row[] => {
    const [without, withSaves] = WAYS.map((way) => results.of(`${way} ${measure}`));
    return [row(`${name}, ${lives}`, unit, without!), row(`${name}, and ${saves}`, unit, withSaves!)];
  };
  const ratio = (measure: string): number[] =>
    ratios(results.of(`with ${measure}`), results.of(`without ${measure}`));
  return [
    ...beside('add', 'p99 of adds', 'ms'),
    row('p99 of adds with saves', 'of without', ratio('add'), { atMost: 1.1 }),
    ...beside('replication', 'replication p99', 'ms'),
    row('replication p99 with saves', 'of without', ratio('replication'), { atMost: 1.1 }),
    ...beside('cpu', 'CPU of all processes', 'ms per s'),
    row('memory of an entry, 1,000,000 of them', 'bytes', results.of('bytesPerEntry'), { atMost: 32 }),
    row('save a hash', 'ns', results.of('saveNs')),
    row('see that a hash is known', 'ns', results.of('knownNs')),
    row('query a hash, found', 'ns', results.of('hitNs')),
    row('query a hash, not found', 'ns', results.of('missNs')),
    row('encode a hash', 'ns', results.of('encodeNs')),
    row('decode a hash', 'ns', results.of('decodeNs')),
  ];
}
