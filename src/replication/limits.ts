/**
 * The limits and paces of replication that follow from the configuration. Those of a single mechanism stand with it.
 */
import type { ContextOptions } from '../core/causal-context';
import type { LoadStatsOptions } from '../core/load-stats';
import type { AntiEntropyOptions } from './anti-entropy';

export const CONTEXT_LIMITS = {
  /** Process starts within 2(E + R); beyond it new origins are applied but not tracked. */
  maxOrigins: 4096,
  /** Separate holes of one origin. */
  maxIntervals: 1024,
} as const;

/** What the bus brings is applied up to this many times the limits for reports over HTTP. */
const CEILING_FACTOR = 2;
/** Finished ids are remembered for R + E, so there are many more of them than requests in flight. */
const FINISHED_FACTOR = 8;
/** 4 MB: however few requests may be in flight, they may be short. */
const MIN_FINISHED = 100_000;

export function loadStatsOptions(load: {
  readonly expireAfterMs: number;
  readonly finishedRetentionMs: number;
  readonly maxInFlight: number;
  readonly maxEngines: number;
}): LoadStatsOptions {
  return {
    expireAfterUs: load.expireAfterMs * 1000,
    finishedRetentionUs: load.finishedRetentionMs * 1000,
    inFlightCeiling: CEILING_FACTOR * load.maxInFlight,
    engineCeiling: CEILING_FACTOR * load.maxEngines,
    waitingCeiling: CEILING_FACTOR * load.maxInFlight,
    finishedCeiling: Math.max(FINISHED_FACTOR * load.maxInFlight, MIN_FINISHED),
  };
}

/** An origin is forgotten 2(E + R) after its newest event or heartbeat: by then none of its events matters any more. */
export function contextOptions({
  expireAfterUs,
  finishedRetentionUs,
}: Pick<LoadStatsOptions, 'expireAfterUs' | 'finishedRetentionUs'>): ContextOptions {
  return { ...CONTEXT_LIMITS, forgetAfterUs: 2 * (expireAfterUs + finishedRetentionUs) };
}

export function antiEntropyOptions(
  origin: string,
  { finishedRetentionUs }: LoadStatsOptions,
): AntiEntropyOptions {
  return {
    origin,
    graceUs: 300_000,
    retryUs: 250_000,
    retryMostUs: 2_000_000,
    historyAfterUs: 2_000_000,
    historyEveryUs: 5_000_000,
    historyReachUs: 60_000_000,
    giveUpAfterUs: 30_000_000,
    giveUpKnownAfterUs: 300_000_000,
    compareEveryUs: 30_000_000,
    reconnectSweepsUs: [200_000, 1_500_000, 5_000_000],
    // Clocks may differ by R; the rest is for the pace of expiry and for seconds that are half over.
    marginUs: finishedRetentionUs + 3_000_000,
    slowAfterUs: 2_000_000,
    avoidAfterFailureUs: 10_000_000,
  };
}
