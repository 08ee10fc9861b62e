/**
 * How many entries there are of each moment, and the horizon: everything at or before it has gone. It rises with time, and as soon
 * as there are more entries than are allowed. It depends only on the newest times of the entries, not on the order in which they
 * came: an earlier state has no more and no newer entries, so it cannot have asked for a later horizon.
 */

/** Moments that are told apart between the oldest entry that counts and the furthest ahead. */
const BUCKETS = 65_536;
const SHORTEST_BUCKET_US = 10_000;

export class Recency {
  private readonly counts: Int32Array;
  private readonly bucketUs: number;
  /** The last bucket that has gone. */
  private gone = -1;
  private liveFromUs = 0;
  /** Entries that left since there were too many. */
  evicted = 0;
  /** Entries ahead of the horizon. */
  private live = 0;

  /** `spanUs`: how far the oldest and the newest entry can be apart. */
  constructor(
    spanUs: number,
    private readonly mostEntries: number,
  ) {
    this.bucketUs = Math.max(SHORTEST_BUCKET_US, Math.ceil(spanUs / (BUCKETS - 2)));
    this.counts = new Int32Array(BUCKETS);
  }

  get size(): number {
    return this.live;
  }

  /** Microseconds since 1970; entries at or before it have gone. */
  get horizonUs(): number {
    return this.liveFromUs - 1;
  }

  isGone(timeUs: number): boolean {
    return timeUs < this.liveFromUs;
  }

  /** Of a time that has not gone. */
  add(timeUs: number): void {
    this.counts[this.bucketOf(timeUs) % BUCKETS]!++;
    this.live++;
    while (this.live > this.mostEntries) {
      const before = this.live;
      this.drop(this.gone + 1);
      this.evicted += before - this.live;
    }
  }

  remove(timeUs: number): void {
    this.counts[this.bucketOf(timeUs) % BUCKETS]!--;
    this.live--;
  }

  /** Everything at or before `untilUs` goes; bounded by the number of buckets. */
  expire(untilUs: number): void {
    const until = this.bucketOf(untilUs + 1) - 1;
    if (until - this.gone >= BUCKETS || this.live === 0) {
      // No entry is further ahead of another than there are buckets, so none is left.
      if (until <= this.gone) return;
      if (this.live > 0) this.counts.fill(0);
      this.live = 0;
      this.setGone(until);
      return;
    }
    while (this.gone < until) this.drop(this.gone + 1);
  }

  private bucketOf(timeUs: number): number {
    return Math.floor(timeUs / this.bucketUs);
  }

  private drop(bucket: number): void {
    this.live -= this.counts[bucket % BUCKETS]!;
    this.counts[bucket % BUCKETS] = 0;
    this.setGone(bucket);
  }

  private setGone(bucket: number): void {
    this.gone = bucket;
    this.liveFromUs = (bucket + 1) * this.bucketUs;
  }
}
