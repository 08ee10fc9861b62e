/**
 * Clusters of one, three and five replicas over nats-server. At saturation: throughput and CPU of all their processes
 * together, against one replica alone without a bus. At given rates: latency of answers, of replication, and CPU. And
 * after each of them what must be 0: the difference between any replica's rows and the recount.
 */
import { closedLoop } from '../load/closed-loop';
import { Lanes, type Tally } from '../load/lanes';
import { Lives } from '../load/lives';
import { openLoop } from '../load/open-loop';
import { addRequest } from '../load/requests';
import { Replicas } from '../processes/replicas';
import { Collected, type Part, type Row, ratios } from '../report/rows';
import { rowsDifference } from './drift';
import { ReplicationLatency } from './replication-latency';

const SIZES = [1, 3, 5];
const RATES = [500, 2_000, 5_000];
const RATED_SIZES = [3, 5];
const LANES = 48;
const ROUND_MS = 3_000;
const WARM_UP_MS = 1_000;
/** Requests that stay in flight for the whole run: rows that are right must not all be 0. */
const RESIDENT = 100;
/** Between the steps of a request's life under a given rate. */
const STEP_MS = 400;
/** Steps of a life, one request each. */
const STEPS = 4;

export const clusterPart: Part = {
  name: 'cluster',
  async run({ rounds, say }) {
    const clusters: Cluster[] = [];
    try {
      for (const size of SIZES) clusters.push(await Cluster.start(size));
      const results = new Collected();
      for (let round = -1; round < rounds; round++) {
        say(round < 0 ? 'warming up' : `saturated, round ${round + 1} of ${rounds}`);
        for (const cluster of round % 2 === 0 ? clusters : [...clusters].reverse()) {
          const measured = await cluster.saturated(round < 0 ? WARM_UP_MS : ROUND_MS);
          if (round >= 0) collect(results, `${cluster.size}`, measured);
        }
      }
      const rated = clusters.filter(({ size }) => RATED_SIZES.includes(size));
      for (let round = 0; round < rounds; round++) {
        say(`at given rates, round ${round + 1} of ${rounds}`);
        for (const rate of RATES) {
          for (const cluster of round % 2 === 0 ? rated : [...rated].reverse()) {
            collect(results, `${cluster.size} at ${rate}`, await cluster.atRate(rate));
          }
        }
      }
      return [...saturatedRows(results), ...ratedRows(results)];
    } finally {
      await Promise.all(clusters.map((cluster) => cluster.stop()));
    }
  },
};

interface Measured {
  readonly perSecond: number;
  readonly cpuMs: number;
  readonly p50: number;
  readonly p99: number;
  readonly replicationP50: number;
  readonly replicationP99: number;
  readonly drift: number;
}

function collect(results: Collected, of: string, measured: Measured): void {
  for (const [name, value] of Object.entries(measured)) results.add(`${of} ${name}`, value as number);
}

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

/** One of the clusters that are compared; all of them run all the time. */
class Cluster {
  private readonly lives = new Lives(RESIDENT);

  private constructor(
    private readonly replicas: Replicas,
    private readonly lanes: Lanes,
  ) {}

  static async start(size: number): Promise<Cluster> {
    const replicas = await Replicas.start(`127.77.${size}`, size);
    const lanes = await Lanes.open(replicas.members, LANES);
    const cluster = new Cluster(replicas, lanes);
    await openLoop(lanes, (n) => addRequest(n), 1_000, RESIDENT);
    return cluster;
  }

  get size(): number {
    return this.replicas.members.length;
  }

  async saturated(durationMs: number): Promise<Measured> {
    return this.measured(() => closedLoop(this.lanes, () => this.lives.script(), durationMs));
  }

  async atRate(perSecond: number): Promise<Measured> {
    const livesPerMs = perSecond / 1000 / STEPS;
    return this.measured(async () => {
      const requestOf = this.lives.overlapping(livesPerMs * ROUND_MS, livesPerMs * STEP_MS);
      const totalMs = ROUND_MS + (STEPS - 1) * STEP_MS;
      const tally = await openLoop(this.lanes, requestOf, perSecond, totalMs);
      return { tally, perSecond };
    });
  }

  async stop(): Promise<void> {
    this.lanes.close();
    await this.replicas.stop();
  }

  private async measured(load: () => Promise<{ tally: Tally; perSecond: number }>): Promise<Measured> {
    const latency = await ReplicationLatency.begin(this.replicas.members);
    const cpuBefore = this.replicas.cpuSeconds();
    const { tally, perSecond } = await load();
    const cpuMs = ((this.replicas.cpuSeconds() - cpuBefore) * 1_000_000) / tally.sent;
    const drift = await rowsDifference(this.replicas.members, RESIDENT);
    const replication = await latency.end();
    return {
      perSecond,
      cpuMs,
      p50: tally.percentileMs(0.5),
      p99: tally.percentileMs(0.99),
      replicationP50: replication(0.5),
      replicationP99: replication(0.99),
      drift,
    };
  }
}
