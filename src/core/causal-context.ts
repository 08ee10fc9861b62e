/**
 * Which events a replica has seen: per origin the seqs, the highest seq announced, and the time of the newest event.
 *
 * Serves detection of loss, repair, readiness and metrics; decides nothing about rows. A gap below the highest known
 * seq is a hole: a lost event. A hole that is given up is no longer chased, but stays a hole. An origin is forgotten by
 * the age of its newest event or heartbeat (not by arrival, else replicas would keep refreshing each other's copies).
 * The dots and contexts are those of Almeida, Shoker, Baquero: "Delta State Replicated Data Types" (2016).
 */
import { SeqSet } from './seq-set';

export interface ContextOptions {
  /** An origin whose newest event is older than this is forgotten. */
  readonly forgetAfterUs: number;
  readonly maxOrigins: number;
  /** Per origin; beyond it the lowest intervals are forgotten and no longer chased. */
  readonly maxIntervals: number;
}

/** One origin as JSON: `[origin, newestUs, highest, from, to, from, to, …]`. */
export type OriginJson = readonly [string, number, number, ...number[]];

interface OriginContext {
  readonly seen: SeqSet;
  /** Holes that are no longer chased. */
  givenUp: SeqSet;
  /** The highest seq that the origin is known to have used. */
  highest: number;
  newestUs: number;
}

export class CausalContext {
  private readonly origins = new Map<string, OriginContext>();
  private lastOrigin = '';
  private lastContext: OriginContext | undefined;

  constructor(private readonly options: ContextOptions) {}

  get originCount(): number {
    return this.origins.size;
  }

  get hasEvents(): boolean {
    for (const { seen } of this.origins.values()) if (seen.intervalCount > 0) return true;
    return false;
  }

  /** Records an event; true when its dot is new, false when it was seen or its origin cannot be tracked. */
  observe(origin: string, seq: number, timeUs: number, nowUs: number): boolean {
    const context = this.entryOf(origin, timeUs, nowUs);
    if (!context?.seen.add(seq)) return false;
    if (seq > context.highest) context.highest = seq;
    if (context.seen.intervalCount > this.options.maxIntervals) this.limitIntervals(context);
    return true;
  }

  /** Records that `origin` has used the seqs up to `highest`. */
  announce(origin: string, highest: number, timeUs: number, nowUs: number): void {
    const context = this.entryOf(origin, timeUs, nowUs);
    if (context && highest > context.highest) context.highest = highest;
  }

  /**
   * Learns from another replica's context which seqs exist: what it has seen and this one has not becomes a hole, also
   * where the hole was given up.
   */
  announceAll(other: CausalContext, except: string, nowUs: number): void {
    for (const [origin, theirs] of other.origins) {
      if (origin === except) continue;
      const ours = this.entryOf(origin, theirs.newestUs, nowUs);
      if (!ours) continue;
      ours.highest = Math.max(ours.highest, theirs.highest);
      if (ours.givenUp.intervalCount > 0) ours.givenUp = ours.givenUp.minus(theirs.seen);
    }
  }

  /** Those of `seqs` that have been seen. */
  seenOf(origin: string, seqs: SeqSet): SeqSet {
    const seen = this.origins.get(origin)?.seen;
    return seen ? seqs.intersect(seen) : new SeqSet();
  }

  knows(origin: string): boolean {
    return this.origins.has(origin);
  }

  has(origin: string, seq: number): boolean {
    return this.origins.get(origin)?.seen.has(seq) ?? false;
  }

  /** The holes that are not given up, by origin. */
  holes(): Map<string, SeqSet> {
    const holes = new Map<string, SeqSet>();
    for (const [origin, { seen, givenUp, highest }] of this.origins) {
      if (seen.intervalCount === 1 && seen.last === highest && seen.has(1)) continue;
      const seqs = seen.gaps(1, highest).minus(givenUp);
      if (seqs.intervalCount > 0) holes.set(origin, seqs);
    }
    return holes;
  }

  /** Whether an event of an origin that was active after `sinceUs` is missing both here and in `other`. */
  missesSame(other: CausalContext, sinceUs: number): boolean {
    for (const [origin, { seen, highest, newestUs }] of this.origins) {
      const theirs = newestUs > sinceUs ? other.origins.get(origin) : undefined;
      const missing = theirs && seen.gaps(1, highest).intersect(theirs.seen.gaps(1, theirs.highest));
      if (missing && missing.intervalCount > 0) return true;
    }
    return false;
  }

  /** Stops chasing a hole. */
  giveUp(origin: string, seqs: SeqSet): void {
    const context = this.origins.get(origin);
    if (!context) return;
    context.givenUp.addAll(seqs);
    const dropped = context.givenUp.dropLowest(this.options.maxIntervals);
    if (dropped > 0) context.givenUp.addRange(1, dropped);
  }

  /** Stops chasing what every origin did before the first of its events that was seen. */
  giveUpBeginnings(): void {
    for (const { seen, givenUp, highest } of this.origins.values()) {
      const [beginning] = seen.gaps(1, highest).toJSON();
      if (beginning === 1 && seen.intervalCount > 0) givenUp.addRange(1, seen.toJSON()[0]! - 1);
    }
  }

  /** Whether this one has seen all that `other` has seen of the origins that were active after `sinceUs`. */
  includes(other: CausalContext, sinceUs: number): boolean {
    for (const [origin, { seen, newestUs }] of other.origins) {
      if (newestUs <= sinceUs) continue;
      const ours = this.origins.get(origin)?.seen ?? new SeqSet();
      if (seen.minus(ours).intervalCount > 0) return false;
    }
    return true;
  }

  copy(): CausalContext {
    return CausalContext.fromJSON(this.toJSON(), this.options);
  }

  /** Takes over what `other` has seen, only after its state has been merged; nobody knows `except` better than itself. */
  join(other: CausalContext, except: string, nowUs: number): void {
    for (const [origin, theirs] of other.origins) {
      if (origin === except) continue;
      const ours = this.entryOf(origin, theirs.newestUs, nowUs);
      if (!ours) continue;
      ours.seen.addAll(theirs.seen);
      ours.highest = Math.max(ours.highest, theirs.highest);
      this.limitIntervals(ours);
    }
  }

  /** Forgets origins that have been silent for long, but not `except`: a process that was suspended goes on counting. */
  forget(nowUs: number, except: string): void {
    for (const [origin, { newestUs }] of this.origins) {
      if (origin === except || newestUs + this.options.forgetAfterUs > nowUs) continue;
      this.origins.delete(origin);
      this.lastContext = undefined;
    }
  }

  /** Every origin with the time of its newest event and the highest seq it is known to have used. */
  *announcements(): Generator<readonly [origin: string, newestUs: number, highest: number]> {
    for (const [origin, { newestUs, highest }] of this.origins) yield [origin, newestUs, highest];
  }

  toJSON(): OriginJson[] {
    const origins: OriginJson[] = [];
    for (const [origin, { seen, highest, newestUs }] of this.origins) {
      origins.push([origin, newestUs, highest, ...seen.toJSON()]);
    }
    return origins;
  }

  /** The context that `toJSON` described; the caller has validated it. */
  static fromJSON(origins: readonly OriginJson[], options: ContextOptions): CausalContext {
    const context = new CausalContext(options);
    for (const [origin, newestUs, highest, ...bounds] of origins) {
      context.origins.set(origin, { seen: new SeqSet(bounds), givenUp: new SeqSet(), highest, newestUs });
    }
    return context;
  }

  /**
   * The origin's entry, made when it is new; undefined when it is too old or there are too many. A time that is ahead
   * counts as now: else one event from the far future would keep its origin for ever.
   */
  private entryOf(origin: string, timeUs: number, nowUs: number): OriginContext | undefined {
    const newestUs = Math.min(timeUs, nowUs);
    let context = (origin === this.lastOrigin ? this.lastContext : undefined) ?? this.origins.get(origin);
    if (!context) {
      const tooOld = newestUs + this.options.forgetAfterUs <= nowUs;
      if (tooOld || this.origins.size >= this.options.maxOrigins) return undefined;
      context = { seen: new SeqSet(), givenUp: new SeqSet(), highest: 0, newestUs };
      this.origins.set(origin, context);
    }
    if (newestUs > context.newestUs) context.newestUs = newestUs;
    this.lastOrigin = origin;
    this.lastContext = context;
    return context;
  }

  private limitIntervals(context: OriginContext): void {
    const dropped = context.seen.dropLowest(this.options.maxIntervals);
    if (dropped > 0) context.givenUp.addRange(1, dropped);
  }
}
