/** The metrics of the streams. */
import type { Registry } from 'prom-client';
import type { Watchers } from '../watch/watchers';
import { counter, gauge } from './scraped';

export function registerWatchMetrics(registry: Registry, watchers: Watchers): void {
  const { counts } = watchers;
  gauge(registry, 'metacenter_watchers', 'Open streams of rows or of the overview', () => watchers.count);
  counter(registry, 'metacenter_watch_events_total', 'Events sent to watchers', () => counts.events);
  counter(registry, 'metacenter_watchers_refused_total', 'Watchers turned away', () => counts.refused);
}
