/**
 * One line of a cause in a period, however often it comes: whoever can publish on the bus must not be able to fill the log.
 * What comes sooner waits for the end of the period, and the last of it is written with the number of those before it.
 */
const PERIOD_MS = 10_000;

interface Cause {
  nextMs: number;
  waiting: ((more: number) => void) | undefined;
  more: number;
}

export class SparseLines {
  private readonly causes = new Map<string, Cause>();

  constructor(private readonly monotonicMs: () => number) {}

  /** `write` is given how many lines it stands for beside its own. Callers have few causes. */
  say(cause: string, write: (more: number) => void): void {
    let said = this.causes.get(cause);
    if (!said) this.causes.set(cause, (said = { nextMs: -Infinity, waiting: undefined, more: 0 }));
    if (said.waiting) said.more++;
    said.waiting = write;
    this.flush();
  }

  /** Writes what has waited long enough. */
  flush(): void {
    this.writeAt(this.monotonicMs());
  }

  /** Writes all that waits: nobody will come back to it. */
  finish(): void {
    this.writeAt(Infinity);
  }

  private writeAt(now: number): void {
    for (const [cause, said] of this.causes) {
      if (said.nextMs > now) continue;
      const { waiting, more } = said;
      if (!waiting) {
        this.causes.delete(cause);
        continue;
      }
      Object.assign(said, { nextMs: now + PERIOD_MS, waiting: undefined, more: 0 });
      waiting(more);
    }
  }
}
