/**
 * The demonstration: the same traffic four times side by side, routed by select, by the best of four in a stream, round robin and at random, while
 * replicas are killed and come back. At its end everything is held still, and each replica is asked what is in flight.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { MetadataCenter } from '../../src/client';
import { driftOf, type Drift } from './drift';
import { Engine } from './engine';
import { Fleet, type Policy } from './fleet';
import { Random } from './random';
import type { ReplicaSet } from './replica-set';

export interface DemoOptions {
  readonly seconds: number;
  /** In each of the four fleets. */
  readonly engines: number;
  /** Requests per second to each of the four fleets. */
  readonly rate: number;
  readonly seed: number;
  /** Between two kills, on average. */
  readonly killEverySeconds: number;
}

export interface DemoResult {
  readonly fleets: readonly Fleet[];
  readonly drifts: readonly Drift[];
  readonly kills: number;
  readonly failovers: number;
}

const POLICIES: readonly Policy[] = ['select', 'best of 4', 'round robin', 'random'];
const GATEWAYS = 3;
/** How busy prefill is on average: high enough that a bad choice hurts. */
const BUSY = 0.6;
const MEAN_PROMPT_TOKENS = 1_500;
const MEAN_OUTPUT_TOKENS = 120;
const MS_PER_OUTPUT_TOKEN = 12;
const LONGEST_PROMPT_TOKENS = 12_000;
/** Every fleet has some older engines. */
const SLOW_SHARE = 0.25;
const SLOWNESS = 0.7;
const DOWN_MS = 3_000;
const ANSWER_WITHIN_MS = 500;
const FLUSH_WITHIN_MS = 30_000;

export class Demo {
  readonly fleets: readonly Fleet[];
  private readonly gateways: readonly MetadataCenter[];
  private readonly stopping = new AbortController();
  private defect: unknown;

  constructor(
    private readonly replicas: ReplicaSet,
    private readonly options: DemoOptions,
    private readonly nowMs: () => number,
  ) {
    const urls = replicas.places.map((_place, i) => replicas.urlOf(i));
    this.gateways = Array.from(
      { length: GATEWAYS },
      () => new MetadataCenter({ replicas: urls, timeoutMs: ANSWER_WITHIN_MS }),
    );
    this.fleets = POLICIES.map((policy, i) => this.fleet(policy, i));
  }

  /** Ends early after `stop`. `say` is told of each kill, and what to look at. */
  async run(onSecond: (leftSeconds: number) => void, say: (text: string) => void): Promise<DemoResult> {
    const endMs = this.nowMs() + this.options.seconds * 1_000;
    const every = setInterval(() => onSecond(Math.max(0, (endMs - this.nowMs()) / 1_000)), 1_000);
    try {
      await Promise.all([this.traffic(endMs), this.trouble(endMs, say)]);
    } finally {
      clearInterval(every);
      for (const fleet of this.fleets) fleet.freeze();
    }
    await Promise.all(this.gateways.map((gateway) => gateway.flush(AbortSignal.timeout(FLUSH_WITHIN_MS))));
    if (this.defect !== undefined) throw this.defect as Error;
    const drifts: Drift[] = [];
    for (const [i] of this.replicas.places.entries()) {
      drifts.push(await driftOf(this.replicas.urlOf(i), this.fleets, this.nowMs));
    }
    const failovers = this.gateways.reduce((sum, { counts }) => sum + counts.retried, 0);
    await Promise.all(this.gateways.map((gateway) => gateway.close()));
    return { fleets: this.fleets, drifts, kills: this.replicas.kills, failovers };
  }

  stop(): void {
    this.stopping.abort();
  }

  private hasStopped(): boolean {
    return this.stopping.signal.aborted;
  }

  /** Every fleet has the same engines, by address and speed, and random choices of its own. */
  private fleet(policy: Policy, index: number): Fleet {
    const { engines, rate, seed } = this.options;
    const random = new Random(seed);
    const fast = (rate * MEAN_PROMPT_TOKENS) / (BUSY * engines * (1 - SLOW_SHARE * (1 - SLOWNESS)) * 1_000);
    const made = Array.from({ length: engines }, (_, i) => {
      const speed = {
        promptTokensPerMs: random.next() < SLOW_SHARE ? fast * SLOWNESS : fast,
        msPerOutputToken: MS_PER_OUTPUT_TOKEN,
      };
      return new Engine(`10.${index}.${i >> 8}.${i & 255}`, speed, this.nowMs);
    });
    return new Fleet(policy, made, this.gateways, new Random(seed + index + 1), this.nowMs, (error) => {
      this.defect ??= error;
      this.stop();
    });
  }

  private async traffic(endMs: number): Promise<void> {
    const random = new Random(this.options.seed + 100);
    let dueMs = this.nowMs();
    for (let number = 1; !this.hasStopped(); number++) {
      dueMs += random.exponential(1_000 / this.options.rate);
      if (dueMs >= endMs) break;
      const tokens = Math.ceil(random.skewed(MEAN_PROMPT_TOKENS));
      const promptTokens = Math.min(tokens, LONGEST_PROMPT_TOKENS);
      const outputTokens = Math.ceil(random.exponential(MEAN_OUTPUT_TOKENS));
      await this.pause(dueMs - this.nowMs());
      if (this.hasStopped()) break;
      for (const fleet of this.fleets) fleet.handle({ promptTokens, outputTokens }, number);
    }
  }

  /** One replica at a time; the last one is back before the end. */
  private async trouble(endMs: number, say: (text: string) => void): Promise<void> {
    const random = new Random(this.options.seed + 200);
    const meanMs = this.options.killEverySeconds * 1_000;
    while (!this.hasStopped()) {
      const waitMs = meanMs * (0.5 + random.next());
      if (this.nowMs() + waitMs + DOWN_MS > endMs) return;
      await this.pause(waitMs);
      if (this.hasStopped()) return;
      const victim = random.below(this.replicas.members.length);
      const url = this.replicas.urlOf(victim);
      const other = this.replicas.urlOf((victim + 1) % this.replicas.members.length);
      await this.replicas.kill(victim);
      say(`killed ${url}/ for ${DOWN_MS / 1_000} s: look at ${other}/, whose rows go on`);
      await this.pause(DOWN_MS);
      await this.replicas.launch(victim);
      say(`started ${url}/ again, it is ready: its rows are those of ${other}/`);
    }
  }

  private async pause(ms: number): Promise<void> {
    if (ms <= 0) return;
    await delay(ms, undefined, { signal: this.stopping.signal }).catch(() => undefined);
  }
}
