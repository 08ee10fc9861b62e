/** Lives of requests at three replicas, alone or with saves beside them, in short slices that alternate. */
import { Observed, ReplicationLatency } from '../cluster/replication-latency';
import { Lanes, Tally } from '../load/lanes';
import { isAdd, Lives } from '../load/lives';
import { openLoop } from '../load/open-loop';
import { queryRequest } from '../load/requests';
import type { Replicas } from '../processes/replicas';
import { Saver } from './saver';

export const LIVES = 1_000;
export const SAVES = 500;
export const CHUNKS = 64;
/** What is done beside the lives. Saves of prompts without a chunk cost what requests cost, and nothing for the cache. */
export const WAYS = ['alone', 'empty', 'saves'] as const;
export type Way = (typeof WAYS)[number];

const STEPS = 4;
/** Between the steps of a request's life: short, so that a slice has whole lives. */
const STEP_MS = 100;
const LANES = 48;

export interface Slice {
  readonly adds: Tally;
  readonly replication: Observed;
  /** Milliseconds of processor time a second, of the replicas and nats-server, and of both that make the load. */
  readonly cpu: number;
  readonly loadCpu: number;
}

export class Beside {
  private readonly lives = new Lives(0);

  private constructor(
    private readonly replicas: Replicas,
    private readonly lanes: Lanes,
    private readonly saver: Saver,
  ) {}

  static async start(replicas: Replicas): Promise<Beside> {
    const saver = await Saver.start(replicas.members.map(({ host, port }) => ({ host, port })));
    const lanes = await Lanes.open(replicas.members, LANES);
    await lanes.greet(queryRequest());
    return new Beside(replicas, lanes, saver);
  }

  /** New lives begin for so long. */
  async slice(way: Way, durationMs: number): Promise<Slice> {
    const requestOf = this.lives.overlapping((LIVES * durationMs) / 1_000, (LIVES * STEP_MS) / 1_000);
    const totalMs = durationMs + (STEPS - 1) * STEP_MS;
    const latency = await ReplicationLatency.begin(this.replicas.members);
    const cpuBefore = this.replicas.cpuSeconds();
    const ownBefore = process.cpuUsage();
    const [adds, saved] = await Promise.all([
      openLoop(this.lanes, requestOf, LIVES * STEPS, totalMs, isAdd),
      way === 'alone'
        ? { cpuMs: 0 }
        : this.saver.save({
            chunks: way === 'saves' ? CHUNKS : 0,
            perSecond: SAVES,
            durationMs: totalMs,
          }),
    ]);
    const { user, system } = process.cpuUsage(ownBefore);
    const ownMs = (user + system) / 1_000;
    const cpuMs = (this.replicas.cpuSeconds() - cpuBefore) * 1_000;
    const perSecond = 1_000 / totalMs;
    return {
      adds,
      replication: await latency.end(),
      cpu: cpuMs * perSecond,
      loadCpu: (ownMs + saved.cpuMs) * perSecond,
    };
  }

  async stop(): Promise<void> {
    this.lanes.close();
    await this.saver.stop();
  }
}

/** The slices of one way, together. */
export class Pool {
  readonly adds = new Tally();
  readonly replication = new Observed();
  readonly slices: Slice[] = [];

  add(slice: Slice): void {
    this.slices.push(slice);
    this.adds.add(slice.adds);
    this.replication.addAll(slice.replication);
  }
}
