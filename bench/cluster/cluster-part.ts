/**
 * Clusters of one, three and five replicas over nats-server. At saturation, by our own load generator and by wrk: throughput and CPU of
 * all their processes together, against one replica that tells nats-server, but nobody else. At given rates: latency of answers, of
 * replication, and CPU. And after each load of our own what must be 0: the difference between any replica's rows and the recount.
 */
import { hasWrk } from '../load/wrk';
import { Collected, type Part, type Row, ratios } from '../report/rows';
import { collect, LoadedCluster, type Measured } from './loaded-cluster';

const SIZES = [1, 3, 5];
const RATES = [500, 2_000, 5_000];
const RATED_SIZES = [3, 5];
const ROUND_MS = 3_000;
/** Each replica of five sees a fifth of the requests, and its code is compiled by so many times later. */
const WARM_UP_MS = 8_000;

export const clusterPart: Part = {
  name: 'cluster',
  async run({ rounds, say }) {
    const byWrk = hasWrk(say);
    const clusters: LoadedCluster[] = [];
    try {
      for (const size of SIZES) clusters.push(await LoadedCluster.start(`127.77.${size}`, size));
      const results = new Collected();
      for (let round = -1; round < rounds; round++) {
        say(round < 0 ? 'warming up' : `saturated, round ${round + 1} of ${rounds}`);
        for (const cluster of round % 2 === 0 ? clusters : [...clusters].reverse()) {
          const measured = await cluster.saturated(round < 0 ? WARM_UP_MS : ROUND_MS);
          if (round >= 0) collect(results, `${cluster.size}`, measured);
          if (!byWrk) continue;
          const underWrk = await cluster.saturatedByWrk(`cluster-${round + 1}`);
          if (round >= 0) collect(results, `${cluster.size} by wrk`, underWrk);
        }
      }
      const rated = clusters.filter(({ size }) => RATED_SIZES.includes(size));
      for (let round = 0; round < rounds; round++) {
        say(`at given rates, round ${round + 1} of ${rounds}`);
        for (const rate of RATES) {
          for (const cluster of round % 2 === 0 ? rated : [...rated].reverse()) {
            collect(results, `${cluster.size} at ${rate}`, await cluster.atRate(rate, ROUND_MS));
          }
        }
      }
      return [...saturatedRows(results), ...(byWrk ? wrkRows(results) : []), ...ratedRows(results)];
    } finally {
      await Promise.all(clusters.map((cluster) => cluster.stop()));
    }
  },
};

function saturatedRows(results: Collected): Row[] {
  const of = (size: number, name: keyof Measured): readonly number[] => results.of(`${size} ${name}`);
  const rows = SIZES.flatMap((size): Row[] => {
    const name = `lifecycle, ${size} replica${size > 1 ? 's' : ''}`;
    return [
      row(name, 'requests/s', of(size, 'perSecond')),
      row(`${name}, CPU of all processes`, 'ms per 1,000', of(size, 'cpuMs')),
      row(`${name}, p50`, 'ms', of(size, 'p50')),
      row(`${name}, p99`, 'ms', of(size, 'p99')),
      row(`${name}, drift afterwards`, 'requests', of(size, 'drift'), { atMost: 0 }),
    ];
  });
  return [
    ...rows,
    row('lifecycle throughput, 3 replicas', 'of one', ratios(of(3, 'perSecond'), of(1, 'perSecond')), {
      atLeast: 0.5,
    }),
    row('CPU per request, 3 replicas', 'of one', ratios(of(3, 'cpuMs'), of(1, 'cpuMs')), { atMost: 2 }),
    row('CPU per request, 5 replicas', 'of three', ratios(of(5, 'cpuMs'), of(3, 'cpuMs')), { atMost: 1.4 }),
  ];
}

function wrkRows(results: Collected): Row[] {
  const of = (size: number, name: 'perSecond' | 'cpuMs'): readonly number[] =>
    results.of(`${size} by wrk ${name}`);
  const rows = SIZES.flatMap((size): Row[] => {
    const name = `by wrk: life, ${size} replica${size > 1 ? 's' : ''}`;
    return [
      row(name, 'requests/s', of(size, 'perSecond')),
      row(`${name}, CPU of all processes`, 'ms per 1,000', of(size, 'cpuMs')),
    ];
  });
  return [
    ...rows,
    row('by wrk: throughput, 3 replicas', 'of one', ratios(of(3, 'perSecond'), of(1, 'perSecond')), {
      atLeast: 1,
    }),
    row('by wrk: CPU per request, 3 replicas', 'of one', ratios(of(3, 'cpuMs'), of(1, 'cpuMs')), {
      atMost: 1.5,
    }),
  ];
}

function ratedRows(results: Collected): Row[] {
  return RATED_SIZES.flatMap((size) =>
    RATES.flatMap((rate): Row[] => {
      const of = (name: keyof Measured): readonly number[] => results.of(`${size} at ${rate} ${name}`);
      const name = `${size} replicas at ${rate.toLocaleString('en')}/s`;
      return [
        row(`${name}, p50`, 'ms', of('p50')),
        row(`${name}, p99`, 'ms', of('p99')),
        row(`${name}, replication p50`, 'ms', of('replicationP50')),
        row(
          `${name}, replication p99`,
          'ms',
          of('replicationP99'),
          size === 3 && rate === 2_000 ? { atMost: 5 } : undefined,
        ),
        row(`${name}, CPU of all processes`, 'ms per 1,000', of('cpuMs')),
        row(`${name}, drift afterwards`, 'requests', of('drift'), { atMost: 0 }),
      ];
    }),
  );
}

function row(name: string, unit: string, values: readonly number[], target?: Row['target']): Row {
  return { part: 'cluster', name, unit, values, ...(target && { target }) };
}
