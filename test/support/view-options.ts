/** What a view is built with by default, but with as small limits as a test likes. */
import { newFingerprinting } from '../../src/composition/fingerprinting';
import type { LoadStatsOptions } from '../../src/core/load-stats';
import { loadStatsOptions } from '../../src/replication/limits';

export function viewOptions(most = 100): LoadStatsOptions {
  const times = { expireAfterMs: 600_000, finishedRetentionMs: 60_000 };
  return loadStatsOptions(
    { ...times, maxInFlight: most, maxEngines: most, maxOwners: most },
    newFingerprinting(),
  );
}
