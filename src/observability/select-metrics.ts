/** The metrics of selects: how they ended, how much they looked at, and what `max_queued` was exceeded by. */
import type { Registry } from 'prom-client';
import type { Replicator } from '../replication/replicator';
import type { Selector } from '../replication/selector';
import { counter, labelledCounter } from './scraped';

export function registerSelectMetrics(registry: Registry, selector: Selector, replicator: Replicator): void {
  labelledCounter(
    registry,
    'metacenter_selects_total',
    'Selects, by how they ended',
    'result',
    () => selector.results,
  );
  counter(
    registry,
    'metacenter_select_engines_considered_total',
    'Engines that selects have looked at',
    () => selector.considered,
  );
  counter(
    registry,
    'metacenter_select_over_limit_total',
    'Adds of other replicas that took an engine beyond the max_queued under which this one had just booked on it',
    () => replicator.counts.selectOverLimit,
  );
}
