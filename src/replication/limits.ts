/**
 * The limits of the view and its context that follow from the configuration. Those of a single mechanism stand with it.
 */
import type { ContextOptions } from '../core/causal-context';
import type { Fingerprinting } from '../core/fingerprint';
import type { LoadStatsOptions } from '../core/load-stats';
import { SPEAKS } from '../repair/protocol';

export const CONTEXT_LIMITS = {
  /** Process starts within 2(E + R); beyond it new origins are applied but not tracked. */
  maxOrigins: 4096,
  /** Separate holes of one origin. */
  maxIntervals: 1024,
  /** Holes of all origins together: thousands, where an honest fleet has dozens after an outage. */
  maxIntervalsInAll: 8192,
} as const;

/** What the bus brings is applied up to this many times the limits for reports over HTTP. */
const CEILING_FACTOR = 2;
/** Finished ids are remembered for R + E, so there are many more of them than requests in flight. */
const FINISHED_FACTOR = 8;
/** 5 MB: however few requests may be in flight, they may be short. */
const MIN_FINISHED = 100_000;

export function loadStatsOptions(
  load: {
    readonly expireAfterMs: number;
    readonly finishedRetentionMs: number;
    readonly maxInFlight: number;
    readonly maxEngines: number;
    readonly maxOwners: number;
  },
  fingerprinting: Fingerprinting,
): LoadStatsOptions {
  return {
    fingerprinting,
    expireAfterUs: load.expireAfterMs * 1000,
    finishedRetentionUs: load.finishedRetentionMs * 1000,
    inFlightCeiling: CEILING_FACTOR * load.maxInFlight,
    engineCeiling: CEILING_FACTOR * load.maxEngines,
    waitingCeiling: CEILING_FACTOR * load.maxInFlight,
    ownerCeiling: CEILING_FACTOR * load.maxOwners,
    finishedCeiling: Math.max(FINISHED_FACTOR * load.maxInFlight, MIN_FINISHED),
  };
}

/** An origin is forgotten 2(E + R) after its newest event or heartbeat: by then none of its events matters any more. */
export function contextOptions({
  expireAfterUs,
  finishedRetentionUs,
}: Pick<LoadStatsOptions, 'expireAfterUs' | 'finishedRetentionUs'>): ContextOptions {
  return { ...CONTEXT_LIMITS, forgetAfterUs: 2 * (expireAfterUs + finishedRetentionUs), speaks: SPEAKS };
}
