/** Latencies since the start in finer buckets than the metric's, so that a reader of two looks has the quantiles between. */

const MAX_MS = 8_192;

/** Each a quarter more than the one before, about as exact as a reader needs. */
const BOUNDS_MS: readonly number[] = (() => {
  const bounds: number[] = [];
  for (let ms = 0.25; ms < MAX_MS; ms *= 1.25) bounds.push(Number(ms.toPrecision(3)));
  return bounds;
})();

export class LatencyCounts {
  readonly boundsMs = BOUNDS_MS;
  /** Per bucket, not cumulated; the last one is beyond the largest bound. */
  readonly counts = new Array<number>(BOUNDS_MS.length + 1).fill(0);

  observe(ms: number): void {
    let low = 0;
    let high = BOUNDS_MS.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (BOUNDS_MS[middle]! < ms) low = middle + 1;
      else high = middle;
    }
    this.counts[low]!++;
  }
}
