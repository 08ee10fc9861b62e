/**
 * How long what is published waits for more, to be written together. Not beyond the turn of the event loop while there is
 * time to spare. Each write wakes nats-server and every other replica; where all of them are busy these wake-ups cost more
 * than the events, and events that wait together for a few milliseconds make everything behind them wait less.
 */

/** The event loop's busy share up to which nothing waits, and the one from which on it waits the longest. */
const QUIET_SHARE = 0.4;
const BUSY_SHARE = 0.6;
const SAMPLE_MS = 250;

export class GatherPause {
  private pauseMs = 0;
  private sampledAtMs: number;
  private wroteAtMs = -Infinity;

  /** `busyShare` says which share of the time since it was last asked the event loop was busy. */
  constructor(
    private readonly maxMs: number,
    private readonly nowMs: () => number,
    private readonly busyShare: () => number,
  ) {
    this.sampledAtMs = nowMs();
  }

  /** Until the next write may be; 0: at the end of this turn. */
  remainingMs(): number {
    const now = this.nowMs();
    if (now - this.sampledAtMs >= SAMPLE_MS) {
      this.sampledAtMs = now;
      const busy = (this.busyShare() - QUIET_SHARE) / (BUSY_SHARE - QUIET_SHARE);
      this.pauseMs = this.maxMs * Math.min(1, Math.max(0, busy));
    }
    return Math.max(0, this.wroteAtMs + this.pauseMs - now);
  }

  wrote(): void {
    this.wroteAtMs = this.nowMs();
  }
}
