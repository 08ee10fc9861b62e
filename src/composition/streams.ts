/** Builds what the streams show: rows, the overview of this replica, and how clusters ran lately. */
import type { EngineTable } from '../core/engine-table';
import { replicaOverview, type OverviewSources } from '../observability/replica-overview';
import { RecentSums } from '../watch/recent-sums';
import { WATCH_TIMES, Watchers } from '../watch/watchers';

export interface Streams {
  readonly recentSums: RecentSums;
  readonly watchers: Watchers;
}

export function createStreams(
  engines: EngineTable,
  overview: Omit<OverviewSources, 'watchers'>,
  options: { readonly origin: string; readonly maxWatchers: number },
): Streams {
  const recentSums = new RecentSums(engines, () => performance.now());
  const watchers: Watchers = new Watchers(
    engines,
    () => replicaOverview({ ...overview, watchers: () => watchers.count }),
    () => recentSums.toJson(),
    { ...WATCH_TIMES, ...options },
  );
  return { recentSums, watchers };
}
