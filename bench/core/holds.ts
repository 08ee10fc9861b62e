/**
 * How long pieces of work hold the event loop: without the time in which the thread waited for a CPU (a busy machine takes
 * it away in the middle of anything), and with the garbage collections within them taken out.
 */
import { readFileSync } from 'node:fs';
import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';

interface Span {
  readonly startMs: number;
  readonly endMs: number;
  readonly waitedMs: number;
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
    const waitedBefore = waitedMs();
    const startMs = performance.now();
    const result = work();
    const endMs = performance.now();
    if (endMs - startMs >= WORTH_REMEMBERING_MS) {
      this.spans.push({ startMs, endMs, waitedMs: waitedMs() - waitedBefore });
    }
    return result;
  }

  /** Ask after `settle`. */
  longestMs(): number {
    const heldMs = this.spans.map(
      (span) => span.endMs - span.startMs - span.waitedMs - this.collectedWithinMs(span),
    );
    return Math.max(0, ...heldMs);
  }

  private collectedWithinMs(span: Span): number {
    let sumMs = 0;
    for (const { startMs, endMs } of this.collections) {
      sumMs += Math.max(0, Math.min(span.endMs, endMs) - Math.max(span.startMs, startMs));
    }
    return sumMs;
  }
}

/** For how long the main thread has been ready to run and did not, by the scheduler's own count. */
function waitedMs(): number {
  const [, waitedNs] = readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ');
  return Number(waitedNs) / 1_000_000;
}
