/**
 * Replication latency as the replicas themselves measure it: `replication_latency_ms`, from an event's time at its origin
 * to its application elsewhere, over all replicas, between two scrapes.
 */
type Buckets = ReadonlyMap<number, number>;

interface Scraped {
  readonly url: string;
}

/** What was observed between two scrapes, or several times between two. */
export class Observed {
  private readonly cumulated = new Map<number, number>();

  add(counts: Buckets, factor: 1 | -1 = 1): void {
    for (const [bound, count] of counts)
      this.cumulated.set(bound, (this.cumulated.get(bound) ?? 0) + factor * count);
  }

  addAll(other: Observed): void {
    this.add(other.cumulated);
  }

  /** Interpolated within a bucket as Prometheus does. */
  percentileMs(share: number): number {
    const counts = [...this.cumulated];
    const total = counts.at(-1)?.[1] ?? 0;
    let lowBound = 0;
    let below = 0;
    for (const [bound, count] of counts) {
      if (count >= share * total && total > 0) {
        if (bound === Infinity) return lowBound;
        return lowBound + ((bound - lowBound) * (share * total - below)) / (count - below);
      }
      lowBound = bound;
      below = count;
    }
    return 0;
  }
}

export class ReplicationLatency {
  private constructor(
    private readonly replicas: readonly Scraped[],
    private readonly before: Buckets,
  ) {}

  static async begin(replicas: readonly Scraped[]): Promise<ReplicationLatency> {
    return new ReplicationLatency(replicas, await cumulated(replicas));
  }

  /** What was observed in between. */
  async end(): Promise<Observed> {
    const observed = new Observed();
    observed.add(await cumulated(this.replicas));
    observed.add(this.before, -1);
    return observed;
  }
}

async function cumulated(replicas: readonly Scraped[]): Promise<Buckets> {
  const sum = new Map<number, number>();
  for (const { url } of replicas) {
    const text = await (await fetch(`${url}/metrics`)).text();
    for (const [, le, count] of text.matchAll(/^replication_latency_ms_bucket\{le="([^"]+)"\} (\d+)$/gm)) {
      const bound = le === '+Inf' ? Infinity : Number(le);
      sum.set(bound, (sum.get(bound) ?? 0) + Number(count));
    }
  }
  return sum;
}
