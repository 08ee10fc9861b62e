/** The metrics of the prefix cache, read when Prometheus scrapes. */
import type { Registry } from 'prom-client';
import type { PrefixCache } from '../cache/prefix-cache';
import { counter, gauge, labelledCounter } from './scraped';

/** `cache` is undefined where it is switched off: then there is nothing to count. */
export function registerCacheMetrics(
  registry: Registry,
  cache: PrefixCache | undefined,
  nowUs: () => number,
): void {
  if (!cache) return;
  const { counts, index } = cache;
  gauge(registry, 'metacenter_cache_entries', 'Prefixes known, once per engine', () => index.size);
  gauge(
    registry,
    'metacenter_cache_horizon_age_seconds',
    'How old a saved prefix may be before it is forgotten: the time to live, or less where there are too many',
    () => Math.max(0, nowUs() - index.horizonUs) / 1e6,
  );
  labelledCounter(
    registry,
    'metacenter_cache_queries_total',
    'Queries, by whether any engine was found',
    'result',
    () => [
      ['hit', counts.hits],
      ['miss', counts.misses],
    ],
  );
  counter(registry, 'metacenter_cache_saves_total', 'Saves over HTTP', () => counts.saves);
  counter(registry, 'metacenter_cache_clears_total', 'Clears over HTTP', () => counts.clears);
  counter(
    registry,
    'metacenter_cache_evicted_total',
    'Prefixes forgotten since there were too many',
    () => index.evicted,
  );
  labelledCounter(
    registry,
    'metacenter_cache_events_total',
    'Events of the prefix cache on the bus',
    'way',
    () => [
      ['published', counts.published],
      ['unpublished', counts.unpublished],
      ['received', counts.received],
      ['lost', counts.lost],
    ],
  );
  labelledCounter(
    registry,
    'metacenter_cache_dropped_total',
    'Events of the prefix cache that changed nothing, by why',
    'reason',
    () => cache.dropped,
  );
}
