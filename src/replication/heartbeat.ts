/**
 * What each replica announces once a second under `<prefix>.replica.heartbeat`: the highest seq that it knows of each
 * recently active origin, its own first. So a lost tail is noticed, also that of a replica which has since died.
 */
import type { CausalContext } from '../core/causal-context';
import { isOrigin } from '../core/event';

export interface Heartbeat {
  readonly origin: string;
  readonly timeUs: number;
  /** Origin, time of its newest event or heartbeat (its own clock), highest seq. */
  readonly highest: readonly (readonly [origin: string, newestUs: number, highest: number])[];
}

const VERSION = 1;
/** Origins named in one heartbeat; the most recently active ones. */
const MAX_ORIGINS = 64;
const MAX_BYTES = 16 * 1024;

/** `ownHighest` is 0 for a replica that has published nothing. */
export function composeHeartbeat(
  origin: string,
  ownHighest: number,
  context: CausalContext,
  sinceUs: number,
  nowUs: number,
): Heartbeat {
  const others = [...context.announcements()].filter(
    ([name, newestUs]) => name !== origin && newestUs > sinceUs,
  );
  others.sort(([, a], [, b]) => b - a);
  const own = [origin, nowUs, ownHighest] as const;
  return { origin, timeUs: nowUs, highest: [own, ...others.slice(0, MAX_ORIGINS - 1)] };
}

export function encodeHeartbeat({ origin, timeUs, highest }: Heartbeat): Buffer {
  return Buffer.from(JSON.stringify({ v: VERSION, origin, time_us: timeUs, highest }));
}

/** `later` is a heartbeat of a later version, `invalid` is none. */
export function decodeHeartbeat(payload: Uint8Array): Heartbeat | 'later' | 'invalid' {
  if (payload.length > MAX_BYTES) return 'invalid';
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString());
  } catch {
    return 'invalid';
  }
  if (typeof value !== 'object' || value === null) return 'invalid';
  const { v, origin, time_us: timeUs, highest } = value as Record<string, unknown>;
  if (isNatural(v) && v > VERSION) return 'later';
  if (v !== VERSION || !isOrigin(origin) || !isNatural(timeUs) || !Array.isArray(highest)) return 'invalid';
  if (highest.length > MAX_ORIGINS || !highest.every(isAnnouncement)) return 'invalid';
  return { origin, timeUs, highest };
}

function isAnnouncement(value: unknown): value is readonly [string, number, number] {
  return Array.isArray(value) && isOrigin(value[0]) && isNatural(value[1]) && isNatural(value[2]);
}

function isNatural(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
