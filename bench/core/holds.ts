/**
 * How long pieces of work hold the event loop, by the time that the process had the CPU (a busy machine takes it away in
 * the middle of anything), with the garbage collections within them taken out.
 */
import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';

interface Span {
  readonly startMs: number;
  readonly endMs: number;
  readonly cpuMs: number;
}

interface Collection {
  readonly startMs: number;
  readonly endMs: number;
}

/** The types of Node 20 do not know it. */
type CollectionEntry = PerformanceEntry & { readonly detail: { readonly flags: number } };

/** Shorter ones are not remembered: nobody asks for them. */
const WORTH_REMEMBERING_MS = 0.2;

export class Holds {
  private readonly collections: Collection[] = [];
  private readonly observer = new PerformanceObserver((list) => {
    for (const { startTime, duration, detail } of list.getEntries() as CollectionEntry[]) {
      if ((detail.flags & constants.NODE_PERFORMANCE_GC_FLAGS_FORCED) !== 0) continue;
      this.collections.push({ startMs: startTime, endMs: startTime + duration });
    }
  });

  constructor() {
    this.observer.observe({ entryTypes: ['gc'] });
  }

  /** Of those before `untilMs` that nobody asked for. */
  longestCollectionMs(untilMs: number): number {
    const durations = this.collections.map(({ startMs, endMs }) => (endMs < untilMs ? endMs - startMs : 0));
    return Math.max(0, ...durations);
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

  constructor(private readonly collections: readonly Collection[]) {}

  /** Works piece by piece until there is no more. */
  timeEach(workIsLeft: () => boolean): void {
    let left = true;
    while (left) left = this.time(workIsLeft);
  }

  time<T>(work: () => T): T {
    const startMs = performance.now();
    const cpuStart = process.cpuUsage();
    const result = work();
    const { user, system } = process.cpuUsage(cpuStart);
    const endMs = performance.now();
    // Other threads of the process use the CPU too: never more than what has passed.
    const cpuMs = Math.min((user + system) / 1000, endMs - startMs);
    if (cpuMs >= WORTH_REMEMBERING_MS) this.spans.push({ startMs, endMs, cpuMs });
    return result;
  }

  /** Ask after `settle`. */
  longestMs(): number {
    return Math.max(0, ...this.spans.map((span) => span.cpuMs - this.collectedWithinMs(span)));
  }

  private collectedWithinMs(span: Span): number {
    let sumMs = 0;
    for (const { startMs, endMs } of this.collections) {
      sumMs += Math.max(0, Math.min(span.endMs, endMs) - Math.max(span.startMs, startMs));
    }
    return sumMs;
  }
}
