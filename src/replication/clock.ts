/**
 * The wall clock in microseconds. `Date.now` has milliseconds only, so the monotonic clock fills in the rest and is
 * anchored anew whenever the two part by more than a millisecond or two (NTP steps, suspended machines).
 */
const MAX_DRIFT_MS = 2;

export function wallClock(): () => number {
  let offsetMs = Date.now() - performance.now();
  return () => {
    const monotonicMs = performance.now();
    const wallMs = Date.now();
    if (Math.abs(wallMs - monotonicMs - offsetMs) > MAX_DRIFT_MS) offsetMs = wallMs - monotonicMs;
    return Math.floor((monotonicMs + offsetMs) * 1000);
  };
}
