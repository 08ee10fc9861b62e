/**
 * What the prefix cache costs the load events beside it: three replicas under the same lives of requests, alone, with saves, and with
 * as many saves of nothing. And what the index takes for an entry and for a hash, in a fresh process.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { Replicas } from '../processes/replicas';
import { Collected, type Part, type Row, ratios } from '../report/rows';
import { Beside, CHUNKS, LIVES, Pool, SAVES, type Slice, type Way, WAYS } from './beside';
import type { CacheMeasures } from './cache-run';

/** A round has so many slices of each way. */
const SLICES_PER_ROUND = 6;
const SLICE_MS = 2_000;
const WARM_UP_MS = 8_000;
/** Processes of a full index take seconds. */
const MOST_INDEX_ROUNDS = 3;

export const cachePart: Part = {
  name: 'cache',
  async run({ rounds, say }) {
    const results = new Collected();
    for (let round = 0; round < Math.min(rounds, MOST_INDEX_ROUNDS); round++) {
      say(`the index, round ${round + 1}`);
      for (const [name, value] of Object.entries(measureIndex())) results.add(name, value as number);
    }
    const pools: Pools = { alone: new Pool(), empty: new Pool(), saves: new Pool() };
    const replicas = await Replicas.start('127.77.8', 3);
    try {
      const beside = await Beside.start(replicas);
      for (const way of WAYS) await beside.slice(way, WARM_UP_MS);
      for (let slice = 0; slice < rounds * SLICES_PER_ROUND; slice++) {
        if (slice % SLICES_PER_ROUND === 0)
          say(`lives with and without saves, round ${slice / SLICES_PER_ROUND + 1} of ${rounds}`);
        for (const way of slice % 2 === 0 ? WAYS : [...WAYS].reverse())
          pools[way].add(await beside.slice(way, SLICE_MS));
      }
      await beside.stop();
    } finally {
      await replicas.stop();
    }
    return [...besideRows(pools), ...indexRows(results)];
  },
};

type Pools = Readonly<Record<Way, Pool>>;

function measureIndex(): CacheMeasures {
  const args = ['--expose-gc', join(__dirname, 'cache-run.js')];
  const { stdout, status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as CacheMeasures;
}

const TARGET = { atMost: 1.1 };
const NAMES: Readonly<Record<Way, string>> = {
  alone: `${LIVES.toLocaleString('en')} lives/s`,
  empty: `and ${SAVES} saves/s of none`,
  saves: `and ${SAVES} saves/s of ${CHUNKS}`,
};

function besideRows(pools: Pools): Row[] {
  return [
    ...(['adds', 'replication'] as const).flatMap((measure) => latencyRows(measure, pools)),
    ...WAYS.map((way) =>
      row(
        `CPU of replicas and nats-server, ${NAMES[way]}`,
        'ms per s',
        pools[way].slices.map(({ cpu }) => cpu),
      ),
    ),
    ...WAYS.map((way) =>
      row(
        `CPU of the load itself, ${NAMES[way]}`,
        'ms per s',
        pools[way].slices.map(({ loadCpu }) => loadCpu),
      ),
    ),
  ];
}

/** From the latencies of all slices of a way together; and slice by slice, each against its neighbour. */
function latencyRows(measure: 'adds' | 'replication', pools: Pools): Row[] {
  const p99 = (of: Pool | Slice): number => of[measure].percentileMs(0.99);
  const ofAlone = (way: Way): Row[] => {
    const name = `${measure}, p99, ${NAMES[way]}`;
    const bySlice = ratios(pools[way].slices.map(p99), pools.alone.slices.map(p99));
    return [
      row(name, 'of alone', [p99(pools[way]) / p99(pools.alone)], way === 'saves' ? TARGET : undefined),
      row(`${name}, by slice`, 'of alone', bySlice),
    ];
  };
  return [
    ...WAYS.flatMap((way) =>
      [50, 90, 99].map((percent) =>
        row(`${measure}, p${percent}, ${NAMES[way]}`, 'ms', [
          pools[way][measure].percentileMs(percent / 100),
        ]),
      ),
    ),
    ...ofAlone('empty'),
    ...ofAlone('saves'),
  ];
}

function indexRows(results: Collected): Row[] {
  return [
    row('memory of an entry, 1,000,000 of them', 'bytes', results.of('bytesPerEntry'), { atMost: 32 }),
    row('save a hash', 'ns', results.of('saveNs')),
    row('see that a hash is known', 'ns', results.of('knownNs')),
    row('query a hash, found', 'ns', results.of('hitNs')),
    row('query a hash, not found', 'ns', results.of('missNs')),
    row('encode a hash', 'ns', results.of('encodeNs')),
    row('decode a hash', 'ns', results.of('decodeNs')),
  ];
}

function row(name: string, unit: string, values: readonly number[], target?: Row['target']): Row {
  return { part: 'cache', name, unit, values, ...(target && { target }) };
}
