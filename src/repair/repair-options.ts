/** The paces of repair, which operators do not set, in one place. Holes and exchanges are timed by the monotonic clock. */
import type { LoadStatsOptions } from '../core/load-stats';

export type RepairOptions = Readonly<ReturnType<typeof repairOptions>>;

export function repairOptions({ finishedRetentionUs }: Pick<LoadStatsOptions, 'finishedRetentionUs'>) {
  return {
    heartbeatEveryUs: 1_000_000,
    /** Heartbeats name an origin until it has been silent for so long: by then every replica has heard of its last event. */
    namedForUs: 120_000_000,
    /** How often each address is asked who is there. */
    healthEveryUs: 5_000_000,
    /** How long a hole may last before it is chased: events on their way are not lost. */
    graceUs: 300_000,
    /** First and longest pause between two attempts to fill the same holes. */
    retryUs: 250_000,
    retryMostUs: 2_000_000,
    /** A hole this old is given up: counted, no longer chased, still open for a late arrival, or until a peer claims it. */
    giveUpAfterUs: 30_000_000,
    /** A hole that no known peer can fill is looked for in the bus's history when it is this old. */
    historyAfterUs: 2_000_000,
    /** How far before it was noticed a missing event is looked for. */
    historyReachUs: 60_000_000,
    /** First and longest pause between two replays of it. */
    historyEveryUs: 5_000_000,
    historyEveryMostUs: 60_000_000,
    /** An exchange that takes longer does not keep another one from beginning, or a joining replica from being ready. */
    slowAfterUs: 2_000_000,
    /** How often the alarm compares with some peer. */
    compareEveryUs: 30_000_000,
    /** What the alarm leaves out before the end. Clocks may differ by R; the rest is for the pace of expiry and for seconds that are half over. */
    marginUs: finishedRetentionUs + 3_000_000,
    /** The longest that catching up keeps the replica from being ready. */
    readyTimeoutUs: 10_000_000,
  };
}
