/** The metrics of selects: how they ended, how much they looked at, and what `max_queued` was exceeded by. */
import type { Registry } from 'prom-client';
import type { LoadStats } from '../core/load-stats';
import type { Selector } from '../replication/selector';
import { counter, labelledCounter } from './scraped';

export function registerSelectMetrics(registry: Registry, selector: Selector, loadStats: LoadStats): void {
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
    'Adds of other replicas, made without knowing of it, that took an engine beyond the max_queued of a booking of this one',
    () => loadStats.selectOverLimit,
  );
}
