/** A cluster under load: what it takes, what that costs, and whether its rows are right afterwards. */
import { closedLoop } from '../load/closed-loop';
import { Lanes, type Tally } from '../load/lanes';
import { Lives } from '../load/lives';
import { openLoop } from '../load/open-loop';
import { addRequest } from '../load/requests';
import { runWrk } from '../load/wrk';
import { type Env, Replicas } from '../processes/replicas';
import type { Collected } from '../report/rows';
import { rowsDifference } from './drift';
import { ReplicationLatency } from './replication-latency';

/** Under a given rate as many as that takes; for saturation as many as keep each of five replicas busy. */
const RATED_LANES = 48;
const SATURATING_LANES = 256;
/** Requests that stay in flight for the whole run: rows that are right must not all be 0. */
const RESIDENT = 100;
/** Between the steps of a request's life under a given rate. */
const STEP_MS = 400;
/** Steps of a life, one request each. */
const STEPS = 4;

export interface Measured {
  readonly perSecond: number;
  readonly cpuMs: number;
  readonly p50: number;
  readonly p99: number;
  readonly replicationP50: number;
  readonly replicationP99: number;
  readonly drift: number;
}

/** Adds each measure under `of` and its own name. */
export function collect(results: Collected, of: string, measured: Partial<Measured>): void {
  for (const [name, value] of Object.entries(measured)) results.add(`${of} ${name}`, value);
}

export class LoadedCluster {
  private readonly lives = new Lives(RESIDENT);

  private constructor(private readonly replicas: Replicas) {}

  static async start(network: string, size: number, env: Env = {}, natsConfig = ''): Promise<LoadedCluster> {
    const replicas = await Replicas.start(network, size, env, natsConfig);
    const cluster = new LoadedCluster(replicas);
    await cluster.overLanes(RATED_LANES, (lanes) => openLoop(lanes, addRequest, 1_000, RESIDENT));
    return cluster;
  }

  get size(): number {
    return this.replicas.members.length;
  }

  async saturated(durationMs: number): Promise<Measured> {
    return this.measured(SATURATING_LANES, (lanes) => closedLoop(lanes, this.lives.handedOn(), durationMs));
  }

  /** The same number of connections under wrk. Its lives are of another cluster of engines, so they are no drift. */
  saturatedByWrk(run: string): ReturnType<typeof runWrk> {
    const { replicas } = this;
    return runWrk('life', run, replicas.members, SATURATING_LANES, () => replicas.cpuSeconds());
  }

  async atRate(perSecond: number, durationMs: number): Promise<Measured> {
    const livesPerMs = perSecond / 1000 / STEPS;
    return this.measured(RATED_LANES, async (lanes) => {
      const requestOf = this.lives.overlapping(livesPerMs * durationMs, livesPerMs * STEP_MS);
      const totalMs = durationMs + (STEPS - 1) * STEP_MS;
      const tally = await openLoop(lanes, requestOf, perSecond, totalMs);
      return { tally, perSecond };
    });
  }

  stop(): Promise<void> {
    return this.replicas.stop();
  }

  /** Opened for each load anew: replicas close connections that say nothing for long. */
  private async overLanes<T>(count: number, load: (lanes: Lanes) => Promise<T>): Promise<T> {
    const lanes = await Lanes.open(this.replicas.members, count);
    try {
      return await load(lanes);
    } finally {
      lanes.close();
    }
  }

  private async measured(
    lanes: number,
    load: (lanes: Lanes) => Promise<{ tally: Tally; perSecond: number }>,
  ): Promise<Measured> {
    const latency = await ReplicationLatency.begin(this.replicas.members);
    const cpuBefore = this.replicas.cpuSeconds();
    const { tally, perSecond } = await this.overLanes(lanes, load);
    const cpuMs = ((this.replicas.cpuSeconds() - cpuBefore) * 1_000_000) / tally.sent;
    const drift = await rowsDifference(this.replicas.members, RESIDENT);
    const replication = await latency.end();
    return {
      perSecond,
      cpuMs,
      p50: tally.percentileMs(0.5),
      p99: tally.percentileMs(0.99),
      replicationP50: replication.percentileMs(0.5),
      replicationP99: replication.percentileMs(0.99),
      drift,
    };
  }
}
