/**
 * The state of this replica as its dashboard shows it: readiness with its reasons, and totals since the start, from
 * which a reader makes rates and quantiles between two looks.
 */
import type { Repair } from '../repair/repair';
import type { Replicator } from '../replication/replicator';
import type { PlainHistogram } from './plain-histogram';

export interface OverviewSources {
  readonly version: string;
  /** What `/readyz` shows. */
  readonly readiness: () => { readonly body: object };
  readonly replicator: Replicator;
  readonly repair: Pick<Repair, 'peerReplicas' | 'counts'>;
  readonly latency: PlainHistogram;
  readonly watchers: () => number;
  readonly nowUs: () => number;
}

export function replicaOverview(sources: OverviewSources): object {
  const { replicator, repair, latency } = sources;
  const { loadStats, counts } = replicator;
  return {
    ...sources.readiness().body,
    version: sources.version,
    time_us: sources.nowUs(),
    peer_replicas: repair.peerReplicas,
    in_flight: loadStats.inFlight.size,
    engines: loadStats.engines.listedCount,
    watchers: sources.watchers(),
    totals: {
      events_own: sum(counts.published) + sum(counts.unpublished),
      events_received: sum(counts.received),
      events_dropped: [...counts.dropped.values()].reduce((total, count) => total + count, 0),
      events_given_up: repair.counts.eventsGivenUp,
      divergences: repair.counts.divergences,
      requests_expired: loadStats.expiredRequests,
    },
    replication_latency: { bounds_ms: latency.bounds, counts: latency.counts },
  };
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}
