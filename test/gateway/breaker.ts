/** The gateway's judgement of one replica: ten failures in a row, and it asks this one no more for five seconds. */

export const MAX_FAILURES = 10;
const COOLDOWN_MS = 5_000;
/** Successes that close it again. */
const TRIALS = 3;

export class Breaker {
  state: 'closed' | 'open' | 'half-open' = 'closed';
  /** How often it has opened. */
  opened = 0;
  private failures = 0;
  private successes = 0;
  private failedAtMs = 0;

  allows(nowMs: number): boolean {
    if (this.state === 'open' && nowMs - this.failedAtMs > COOLDOWN_MS) this.state = 'half-open';
    return this.state !== 'open';
  }

  succeeded(): void {
    this.failures = 0;
    if (this.state === 'half-open' && ++this.successes >= TRIALS) {
      this.state = 'closed';
      this.successes = 0;
    }
  }

  failed(nowMs: number): void {
    this.failedAtMs = nowMs;
    this.failures++;
    if (this.state === 'open' || (this.state === 'closed' && this.failures < MAX_FAILURES)) return;
    this.state = 'open';
    this.opened++;
    this.failures = this.successes = 0;
  }
}
