/**
 * The state of this replica as its dashboard shows it: readiness with its reasons, and totals since the start, from
 * which a reader makes rates and quantiles between two looks.
 */
import type { AntiEntropy } from '../replication/anti-entropy';
import type { Replicator } from '../replication/replicator';
import type { LatencyCounts } from './latency-counts';

export interface OverviewSources {
  readonly version: string;
  /** What `/readyz` shows. */
  readonly readiness: () => { readonly body: object };
  readonly replicator: Replicator;
  readonly antiEntropy: Pick<AntiEntropy, 'addresses' | 'statusOf' | 'counts'>;
  readonly latency: LatencyCounts;
  readonly watchers: () => number;
  readonly nowUs: () => number;
}

export function replicaOverview(sources: OverviewSources): object {
  const { replicator, antiEntropy, latency } = sources;
  const { loadStats, counts } = replicator;
  return {
    ...sources.readiness().body,
    version: sources.version,
    time_us: sources.nowUs(),
    peer_replicas: Object.fromEntries(
      antiEntropy.addresses.map((address) => [address, antiEntropy.statusOf(address)?.replica ?? null]),
    ),
    in_flight: loadStats.inFlight.size,
    engines: loadStats.engines.listedCount,
    watchers: sources.watchers(),
    totals: {
      events_own: sum(counts.published) + sum(counts.unpublished),
      events_received: sum(counts.received),
      events_dropped: [...counts.dropped.values()].reduce((total, count) => total + count, 0),
      events_given_up: antiEntropy.counts.eventsGivenUp,
      divergences: antiEntropy.counts.divergences,
      requests_expired: loadStats.expiredRequests,
    },
    replication_latency: { bounds_ms: latency.boundsMs, counts: latency.counts },
  };
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}
