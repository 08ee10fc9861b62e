/**
 * The state of this replica as its dashboard shows it: readiness with its reasons, and totals since the start, from
 * which a reader makes rates and quantiles between two looks.
 */
import type { PrefixCache } from '../cache/prefix-cache';
import type { Repair } from '../repair/repair';
import type { Replicator } from '../replication/replicator';
import type { AnswerTotals } from './http-metrics';
import type { Limit } from './limit-metrics';
import type { PlainHistogram } from './plain-histogram';

export interface OverviewSources {
  readonly version: string;
  /** What `/readyz` shows. */
  readonly readiness: () => { readonly body: object };
  readonly replicator: Replicator;
  readonly repair: Pick<Repair, 'peers' | 'counts'>;
  readonly latency: PlainHistogram;
  readonly watchers: () => number;
  /** Undefined where it is switched off. */
  readonly cache: PrefixCache | undefined;
  readonly limits: () => readonly Limit[];
  readonly answers: () => AnswerTotals;
  readonly nowUs: () => number;
}

export function replicaOverview(sources: OverviewSources): object {
  const { replicator, repair, latency, cache } = sources;
  const timeUs = sources.nowUs();
  const { loadStats, counts } = replicator;
  const peers = Object.entries(repair.peers);
  return {
    ...sources.readiness().body,
    version: sources.version,
    time_us: timeUs,
    peer_replicas: Object.fromEntries(peers.map(([address, { replica }]) => [address, replica])),
    peer_reports: Object.fromEntries(
      peers
        .filter(([, { state }]) => state !== 'itself' && state !== 'other-deployment')
        .map(([address, report]) => [
          address,
          { ...report, latency_ms: latencyOf(replicator, report.replica) },
        ]),
    ),
    limit_use: sources.limits().map(({ name, most, use }) => ({ name, most, use: use() })),
    in_flight: loadStats.inFlight.size,
    engines: loadStats.engines.listedCount,
    watchers: sources.watchers(),
    cache: cache
      ? { entries: cache.index.size, horizon_age_us: Math.max(0, timeUs - cache.index.horizonUs) }
      : null,
    totals: {
      events_own: sum(counts.published) + sum(counts.unpublished),
      events_received: sum(counts.received),
      events_dropped: [...counts.dropped.values()].reduce((total, count) => total + count, 0),
      events_given_up: repair.counts.eventsGivenUp,
      divergences: repair.counts.divergences,
      requests_expired: loadStats.expiredRequests,
      ...answerTotals(sources.answers()),
      cache_hits: cache?.counts.hits ?? 0,
      cache_misses: cache?.counts.misses ?? 0,
    },
    replication_latency: { bounds_ms: latency.bounds, counts: latency.counts },
  };
}

function answerTotals({ queries, refused, failed }: AnswerTotals): object {
  return { queries, answers_refused: refused, answers_failed: failed };
}

/** Of the newest event of a replica: how long it took to come, clocks included; null where there was none. */
function latencyOf({ clockDifferencesUs }: Replicator, replica: string | null): number | null {
  const us = clockDifferencesUs.get(replica ?? '');
  return us === undefined ? null : us / 1000;
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}
