/** How long the event loop kept work waiting beyond its time: since the start, or since the last reset. */
import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 10;
const PERCENTILES = [50, 90, 99, 99.9];

export class EventLoopDelay {
  private readonly histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  start(): void {
    this.histogram.enable();
  }

  stop(): void {
    this.histogram.disable();
  }

  reset(): void {
    this.histogram.reset();
  }

  /** In milliseconds. Includes the sampling interval, as Node.js measures it. */
  toJson(): string {
    const { count, min, max, mean, stddev } = this.histogram;
    const percentiles = PERCENTILES.map((each) => [`p${each}`, ms(this.histogram.percentile(each))]);
    const values = { min: ms(min), mean: ms(mean), max: ms(max), stddev: ms(stddev) };
    return JSON.stringify({
      unit: 'ms',
      resolution: RESOLUTION_MS,
      count,
      ...(count > 0 && { ...values, ...Object.fromEntries(percentiles) }),
    });
  }
}

function ms(ns: number): number {
  return Math.round(ns / 1000) / 1000;
}
