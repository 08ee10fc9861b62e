/**
 * Replication latency as the replicas themselves measure it: `replication_latency_ms`, from an event's time at its origin
 * to its application elsewhere, over all replicas, between two scrapes.
 */
type Buckets = ReadonlyMap<number, number>;

interface Scraped {
  readonly url: string;
}

export class ReplicationLatency {
  private constructor(
    private readonly replicas: readonly Scraped[],
    private readonly before: Buckets,
  ) {}

  static async begin(replicas: readonly Scraped[]): Promise<ReplicationLatency> {
    return new ReplicationLatency(replicas, await cumulated(replicas));
  }

  /** Answers the percentiles of what was observed in between, interpolated within a bucket as Prometheus does. */
  async end(): Promise<(share: number) => number> {
    const after = await cumulated(this.replicas);
    const counts = [...after].map(
      ([bound, count]) => [bound, count - (this.before.get(bound) ?? 0)] as const,
    );
    return (share) => percentile(counts, share);
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

function percentile(counts: readonly (readonly [bound: number, count: number])[], share: number): number {
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
