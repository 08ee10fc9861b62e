/** How long pieces of work hold the event loop, with the garbage collections within them taken out. */
import { PerformanceObserver } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';

interface Span {
  readonly startMs: number;
  readonly durationMs: number;
}

/** Shorter ones are not remembered: nobody asks for them. */
const WORTH_REMEMBERING_MS = 0.2;

export class Holds {
  private readonly collections: Span[] = [];
  private readonly observer = new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) {
      this.collections.push({ startMs: startTime, durationMs: duration });
    }
  });

  constructor() {
    this.observer.observe({ entryTypes: ['gc'] });
  }

  /** Of those that came by themselves or were asked for. */
  get longestCollectionMs(): number {
    return Math.max(0, ...this.collections.map(({ durationMs }) => durationMs));
  }

  series(): HoldSeries {
    return new HoldSeries(this.collections);
  }

  /** Collections are reported some turns later. */
  async settle(): Promise<void> {
    await delay(50);
    this.observer.disconnect();
  }
}

export class HoldSeries {
  private readonly spans: Span[] = [];

  constructor(private readonly collections: readonly Span[]) {}

  time(work: () => unknown): void {
    const startMs = performance.now();
    work();
    const durationMs = performance.now() - startMs;
    if (durationMs >= WORTH_REMEMBERING_MS) this.spans.push({ startMs, durationMs });
  }

  /** Ask after `settle`. */
  longestMs(): number {
    return Math.max(0, ...this.spans.map((span) => span.durationMs - this.collectedWithinMs(span)));
  }

  private collectedWithinMs({ startMs, durationMs }: Span): number {
    let sumMs = 0;
    for (const collection of this.collections) {
      const overlap =
        Math.min(startMs + durationMs, collection.startMs + collection.durationMs) -
        Math.max(startMs, collection.startMs);
      if (overlap > 0) sumMs += overlap;
    }
    return sumMs;
  }
}
