/**
 * Which events a replica has seen: per origin the seqs, the highest seq announced, and the time of the newest event.
 *
 * Serves detection of loss, repair, readiness and metrics; decides nothing about rows. A gap below the highest known
 * seq is a hole: a lost event. A hole that is given up is no longer chased, but stays a hole. An origin is forgotten by
 * the age of its newest event or heartbeat (not by arrival, else replicas would keep refreshing each other's copies).
 * An event of a higher level than this replica speaks is never claimed and never chased (I9): it is remembered apart.
 * The dots and contexts are those of Almeida, Shoker, Baquero: "Delta State Replicated Data Types" (2016).
 */
import { SeqSet } from './seq-set';

export interface ContextOptions {
  /** An origin whose newest event is older than this is forgotten. */
  readonly forgetAfterUs: number;
  readonly maxOrigins: number;
  /** Per origin; beyond it the lowest intervals are forgotten and no longer chased. */
  readonly maxIntervals: number;
  /** The level up to which events are understood; 1 where it is left out. */
  readonly speaks?: number;
}

/** One origin as JSON: `[origin, newestUs, highest, from, to, from, to, …]`. */
export type OriginJson = readonly [string, number, number, ...number[]];

/** Seqs of one origin's events of a level above the first as JSON: `[origin, level, from, to, from, to, …]`. */
export type LevelJson = readonly [string, number, ...number[]];

interface OriginContext {
  readonly seen: SeqSet;
  /** Holes that are no longer chased. */
  givenUp: SeqSet;
  /** Events of levels above the first, by level: those up to `speaks` are in `seen` too. */
  levels: Map<number, SeqSet> | undefined;
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

  /** Records an event of a level above the first: it counts as seen only if this replica speaks so much (I9). */
  observeLevel(origin: string, seq: number, level: number, timeUs: number, nowUs: number): boolean {
    const isNew =
      level <= this.speaks
        ? this.observe(origin, seq, timeUs, nowUs)
        : !this.has(origin, seq) && (this.announce(origin, seq, timeUs, nowUs), true);
    const context = this.origins.get(origin);
    if (context && isNew) this.mark(context, level, new SeqSet([seq, seq]));
    return isNew;
  }

  /** What another replica says of events above the first level: those above this one's are not chased. */
  learnLevels(levels: readonly LevelJson[]): void {
    for (const [origin, level, ...bounds] of levels) {
      const context = this.origins.get(origin);
      if (!context) continue;
      const seqs = new SeqSet(bounds);
      this.mark(context, level, level > this.speaks ? seqs.minus(context.seen) : seqs);
    }
  }

  /** The events above the first level, as far as is known. */
  get levels(): LevelJson[] {
    const levels: LevelJson[] = [];
    for (const [origin, context] of this.origins) {
      for (const [level, seqs] of context.levels ?? []) levels.push([origin, level, ...seqs.toJSON()]);
    }
    return levels;
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
    for (const [origin, context] of this.origins) {
      const { seen, givenUp, highest } = context;
      if (seen.intervalCount === 1 && seen.last === highest && seen.has(1)) continue;
      const seqs = seen.gaps(1, highest).minus(givenUp).minus(above(context, this.speaks));
      if (seqs.intervalCount > 0) holes.set(origin, seqs);
    }
    return holes;
  }

  /** Whether an event of an origin that was active after `sinceUs` is missing both here and in `other`. */
  missesSame(other: CausalContext, sinceUs: number): boolean {
    for (const [origin, ours] of this.origins) {
      const theirs = ours.newestUs > sinceUs ? other.origins.get(origin) : undefined;
      const gaps = ours.seen.gaps(1, ours.highest).minus(above(ours, other.speaks));
      const missing = theirs && gaps.intersect(theirs.seen.gaps(1, theirs.highest));
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

  /** A copy as one that speaks so much has it. */
  copy(speaks = this.speaks): CausalContext {
    const copy = CausalContext.fromJSON(this.toJSON(speaks), { ...this.options, speaks });
    copy.learnLevels(this.levels);
    return copy;
  }

  /** Takes over what `other` has seen, only after its state has been merged; nobody knows `except` better than itself. */
  join(other: CausalContext, except: string, nowUs: number): void {
    for (const [origin, theirs] of other.origins) {
      if (origin === except) continue;
      const ours = this.entryOf(origin, theirs.newestUs, nowUs);
      if (!ours) continue;
      ours.seen.addAll(theirs.seen.minus(above(ours, this.speaks)));
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

  /** What it claims to a replica that speaks so much: only what that one would understand (I9). */
  toJSON(speaks = this.speaks): OriginJson[] {
    const origins: OriginJson[] = [];
    for (const [origin, context] of this.origins) {
      const seen = context.levels ? context.seen.minus(above(context, speaks)) : context.seen;
      origins.push([origin, context.newestUs, context.highest, ...seen.toJSON()]);
    }
    return origins;
  }

  /** The context that `toJSON` described; the caller has validated it. */
  static fromJSON(origins: readonly OriginJson[], options: ContextOptions): CausalContext {
    const context = new CausalContext(options);
    for (const [origin, newestUs, highest, ...bounds] of origins) {
      const seen = new SeqSet(bounds);
      context.origins.set(origin, { seen, givenUp: new SeqSet(), levels: undefined, highest, newestUs });
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
      context = { seen: new SeqSet(), givenUp: new SeqSet(), levels: undefined, highest: 0, newestUs };
      this.origins.set(origin, context);
    }
    if (newestUs > context.newestUs) context.newestUs = newestUs;
    this.lastOrigin = origin;
    this.lastContext = context;
    return context;
  }

  private get speaks(): number {
    return this.options.speaks ?? 1;
  }

  private mark(context: OriginContext, level: number, seqs: SeqSet): void {
    if (seqs.intervalCount === 0) return;
    context.levels ??= new Map();
    const marked = context.levels.get(level) ?? new SeqSet();
    context.levels.set(level, marked);
    marked.addAll(seqs);
    context.highest = Math.max(context.highest, marked.last);
    const dropped = marked.dropLowest(this.options.maxIntervals);
    if (dropped > 0) context.givenUp.addRange(1, dropped);
  }

  private limitIntervals(context: OriginContext): void {
    const dropped = context.seen.dropLowest(this.options.maxIntervals);
    if (dropped > 0) context.givenUp.addRange(1, dropped);
  }
}

/** The seqs of events of a higher level than that. */
function above({ levels }: OriginContext, speaks: number): SeqSet {
  const seqs = new SeqSet();
  for (const [level, ofLevel] of levels ?? []) if (level > speaks) seqs.addAll(ofLevel);
  return seqs;
}
