/**
 * Runs expiry at its interval, in slices short enough that requests are answered in between.
 */
import type { LoadStats } from '../core/load-stats';

/** Things looked at in one slice: half a millisecond of work, and still under 10 ms when it runs for the first time. */
export const EXPIRY_SLICE = 1_000;

export class ExpiryRun {
  private timer: NodeJS.Timeout | undefined;
  private running = false;

  constructor(
    private readonly stats: LoadStats,
    private readonly nowUs: () => number,
    private readonly intervalMs: number,
  ) {}

  start(): void {
    this.timer = setInterval(() => this.run(), this.intervalMs);
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private run(): void {
    if (!this.running) this.slice();
  }

  private slice(): void {
    this.running = this.timer !== undefined && !this.stats.expire(this.nowUs(), EXPIRY_SLICE);
    if (this.running) setImmediate(() => this.slice());
  }
}
