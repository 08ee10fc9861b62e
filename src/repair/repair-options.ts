/** The paces of repair, which operators do not set, in one place. */
import type { LoadStatsOptions } from '../core/load-stats';
import type { RepairOptions } from './repair';

export function repairOptions({
  finishedRetentionUs,
}: Pick<LoadStatsOptions, 'finishedRetentionUs'>): RepairOptions {
  return {
    heartbeatEveryUs: 1_000_000,
    healthEveryUs: 5_000_000,
    graceUs: 300_000,
    retryUs: 250_000,
    retryMostUs: 2_000_000,
    historyAfterUs: 2_000_000,
    historyReachUs: 60_000_000,
    historyEveryUs: 5_000_000,
    historyEveryMostUs: 60_000_000,
    giveUpAfterUs: 30_000_000,
    compareEveryUs: 30_000_000,
    // Clocks may differ by R; the rest is for the pace of expiry and for seconds that are half over.
    marginUs: finishedRetentionUs + 3_000_000,
    slowAfterUs: 2_000_000,
    joinSlowAfterUs: 5_000_000,
    avoidAfterFailureUs: 10_000_000,
    readyTimeoutUs: 10_000_000,
    namedForUs: 120_000_000,
  };
}
