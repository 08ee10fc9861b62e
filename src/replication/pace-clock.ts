/**
 * A clock for pauses and deadlines, made of the wall clock as it is looked at: it never goes back, and a jump forward
 * (a clock that is set, a machine that was suspended) counts for no more than one look. So no step of the wall clock
 * holds a repair up, or makes what was noticed just now seem old.
 */
export class PaceClock {
  private us = 0;
  private lookedUs: number;

  constructor(
    nowUs: number,
    private readonly maxStepUs: number,
  ) {
    this.lookedUs = nowUs;
  }

  /** Microseconds since the start, as of the last look. */
  get now(): number {
    return this.us;
  }

  look(nowUs: number): number {
    this.us += Math.min(Math.max(nowUs - this.lookedUs, 0), this.maxStepUs);
    this.lookedUs = nowUs;
    return this.us;
  }
}
