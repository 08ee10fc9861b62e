/**
 * Which events a replica has seen: per origin the seqs, the highest seq announced, and the time of the newest event.
 *
 * Serves detection of loss, repair, readiness and metrics; decides nothing about rows. A gap below the highest known
 * seq is a hole: a lost event. A hole that is given up is no longer chased, but stays a hole. An origin is forgotten by
 * the age of its newest event or heartbeat (not by arrival, else replicas would keep refreshing each other's copies).
 * An event of a higher level than this replica speaks is never claimed and never chased (I9): it is remembered apart.
 *
 * Events can be forged, so what is kept is bounded over all origins too. When a bound is reached, the newest strangers
 * lose their exactness: an origin that is **cut** keeps its last interval only, and none of its losses is a hole. Never
 * those that are protected: the origins of live peers.
 * The dots and contexts are those of Almeida, Shoker, Baquero: "Delta State Replicated Data Types" (2016).
 */
import type { Holder } from './interval-budget';
import { IntervalBudget } from './interval-budget';
import { SeqSet } from './seq-set';

export interface ContextOptions {
  /** An origin whose newest event is older than this is forgotten. */
  readonly forgetAfterUs: number;
  readonly maxOrigins: number;
  /** Per origin; beyond it the lowest intervals are forgotten and no longer chased. */
  readonly maxIntervals: number;
  /** Of all origins together, beyond two of each; beyond it the newest strangers are cut. */
  readonly maxIntervalsInAll: number;
  /** The level up to which events are understood; 1 where it is left out. */
  readonly speaks?: number;
}

/** One origin as JSON: `[origin, newestUs, highest, from, to, from, to, …]`. */
export type OriginJson = readonly [string, number, number, ...number[]];

/** Seqs of one origin's events of a level above the first as JSON: `[origin, level, from, to, from, to, …]`. */
export type LevelJson = readonly [string, number, ...number[]];

/** Levels above the first that are told apart, of one origin. */
const MAX_LEVELS = 8;
/** Intervals of an origin that count for nothing: what was seen, and what was given up. */
export const FREE_INTERVALS = 2;
const NOBODY: ReadonlySet<string> = new Set();

interface OriginContext extends Holder {
  readonly name: string;
  readonly seen: SeqSet;
  /** Holes that are no longer chased. */
  givenUp: SeqSet;
  /** Events of levels above the first, by level: those up to `speaks` are in `seen` too. */
  levels: Map<number, SeqSet> | undefined;
  /** The highest seq that the origin is known to have used. */
  highest: number;
  newestUs: number;
  cut: boolean;
}

/** What the bounds have cut off so far. */
export interface CutOff {
  /** Origins that were cut. */
  origins: number;
  /** Events and announcements of origins for which there was no room. */
  untracked: number;
}

export class CausalContext {
  private readonly origins = new Map<string, OriginContext>();
  private lastOrigin = '';
  private lastContext: OriginContext | undefined;
  private readonly budget = new IntervalBudget<OriginContext>();
  /** Origins of live peers: by what they said themselves when they were asked, and by heartbeats, which can be forged. */
  private asked = NOBODY;
  private heard = NOBODY;
  private nextNumber = 0;
  readonly cutOff: CutOff = { origins: 0, untracked: 0 };

  constructor(private readonly options: ContextOptions) {}

  get originCount(): number {
    return this.origins.size;
  }

  /** Intervals held beyond two of each origin. */
  get excessIntervals(): number {
    return this.budget.used;
  }

  /** The origins that are not tracked exactly. */
  get cut(): string[] {
    const names: string[] = [];
    for (const { name, cut } of this.origins.values()) if (cut) names.push(name);
    return names;
  }

  /** Which of the origins another replica does not track exactly, as it says: it may have seen more of them than it claims. */
  learnCut(origins: readonly string[]): void {
    for (const origin of origins) {
      const context = this.origins.get(origin);
      if (context) context.cut = true;
    }
  }

  /**
   * Live peers, whose origins find room, and are not cut while there is a stranger to cut: those who answered when they were
   * asked, and this replica itself; and those who were only heard, which are the next after the strangers.
   */
  protect(asked: ReadonlySet<string>, heard: ReadonlySet<string> = NOBODY): void {
    this.asked = asked;
    this.heard = heard;
    for (const origins of [asked, heard]) {
      for (const origin of origins) {
        const context = this.origins.get(origin);
        if (!context?.cut) continue;
        context.cut = false;
        if (context.highest > 0) context.givenUp = new SeqSet([1, context.highest]);
      }
    }
  }

  /** 0 for a stranger, 1 for who was only heard, 2 for who answered. */
  private readonly standingOf = ({ name }: Pick<OriginContext, 'name'>): number =>
    this.asked.has(name) ? 2 : this.heard.has(name) ? 1 : 0;

  /** Whether the origin is that of a live peer, as far as is known. */
  isProtected(origin: string): boolean {
    return this.standingOf({ name: origin }) > 0;
  }

  get hasEvents(): boolean {
    for (const { seen } of this.origins.values()) if (seen.intervalCount > 0) return true;
    return false;
  }

  /** Records an event; true when its dot is new, false when it was seen or its origin cannot be tracked. */
  observe(origin: string, seq: number, timeUs: number, nowUs: number): boolean {
    const context = this.entryOf(origin, timeUs, nowUs);
    const before = context?.seen.intervalCount;
    if (!context?.seen.add(seq)) return false;
    if (seq > context.highest) context.highest = seq;
    if (context.seen.intervalCount !== before) this.keepToLimits(context);
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
      this.learnLevel(context, level, new SeqSet(bounds));
    }
  }

  private learnLevel(context: OriginContext, level: number, seqs: SeqSet): void {
    this.mark(context, level, level > this.speaks ? seqs.minus(context.seen) : seqs);
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
      if (ours.givenUp.intervalCount === 0) continue;
      ours.givenUp = ours.givenUp.minus(theirs.seen);
      this.keepToLimits(ours);
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
      const seqs = this.holesIn(context);
      if (seqs) holes.set(origin, seqs);
    }
    return holes;
  }

  holesOf(origin: string): SeqSet {
    const context = this.origins.get(origin);
    return (context && this.holesIn(context)) ?? new SeqSet();
  }

  private holesIn(context: OriginContext): SeqSet | undefined {
    const { seen, givenUp, levels, highest, cut } = context;
    if (cut) return undefined;
    // Nothing is missing where the one interval reaches down to the first event, or to what was given up.
    const reachesDown = givenUp.has(1) && givenUp.intervalCount === 1 && givenUp.last + 1 >= seen.first;
    if (seen.intervalCount === 1 && seen.last === highest && (seen.first === 1 || reachesDown))
      return undefined;
    let seqs = seen.gaps(1, highest);
    if (givenUp.intervalCount > 0) seqs = seqs.minus(givenUp);
    if (levels) seqs = seqs.minus(above(context, this.speaks));
    return seqs.intervalCount > 0 ? seqs : undefined;
  }

  /** Whether an event of an origin that was active after `sinceUs` is missing both here and in `other`. */
  missesSame(other: CausalContext, sinceUs: number): boolean {
    for (const [origin, ours] of this.origins) {
      const theirs = ours.newestUs > sinceUs ? other.origins.get(origin) : undefined;
      if (theirs && (ours.cut || theirs.cut)) return true;
      const gaps = ours.seen.gaps(1, ours.highest).minus(above(ours, other.speaks));
      const missing = theirs && gaps.intersect(theirs.seen.gaps(1, theirs.highest));
      if (missing && missing.intervalCount > 0) return true;
    }
    return false;
  }

  /** Stops chasing a hole. */
  giveUp(origin: string, seqs: SeqSet): void {
    const context = this.origins.get(origin);
    if (!context || context.cut) return;
    context.givenUp.addAll(seqs);
    const dropped = context.givenUp.dropLowest(this.options.maxIntervals);
    if (dropped > 0) context.givenUp.addRange(1, dropped);
    this.keepToLimits(context);
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
      const ours = this.origins.get(origin);
      // Of such a one nobody can say it; see `missesSame`.
      if (ours?.cut) continue;
      if (seen.minus(ours?.seen ?? new SeqSet()).intervalCount > 0) return false;
    }
    return true;
  }

  /** A copy as one that speaks so much has it. */
  copy(speaks = this.speaks): CausalContext {
    const copy = CausalContext.fromJSON(this.toJSON(speaks), { ...this.options, speaks });
    copy.learnLevels(this.levels);
    copy.learnCut(this.cut);
    return copy;
  }

  /** Takes over what `other` has seen, and of which level it is, only after its state has been merged; nobody knows `except` better than itself. */
  join(other: CausalContext, except: string, nowUs: number): void {
    for (const [origin, theirs] of other.origins) {
      if (origin === except) continue;
      const ours = this.entryOf(origin, theirs.newestUs, nowUs);
      if (!ours) continue;
      for (const [level, seqs] of theirs.levels ?? []) this.learnLevel(ours, level, seqs);
      ours.seen.addAll(theirs.seen.minus(above(ours, this.speaks)));
      ours.highest = Math.max(ours.highest, theirs.highest);
      this.keepToLimits(ours);
    }
  }

  /** Forgets origins that have been silent for long, but not `except`: a process that was suspended goes on counting. */
  forget(nowUs: number, except: string): void {
    for (const [origin, context] of this.origins) {
      if (origin !== except && context.newestUs + this.options.forgetAfterUs <= nowUs) this.remove(context);
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
      const entry = context.create(origin, new SeqSet(bounds), newestUs);
      entry.highest = highest;
      context.keepToLimits(entry);
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
      if (newestUs + this.options.forgetAfterUs <= nowUs) return undefined;
      if (this.origins.size >= this.options.maxOrigins && !this.makeRoomFor(origin)) {
        this.cutOff.untracked++;
        return undefined;
      }
      context = this.create(origin, new SeqSet(), newestUs);
    }
    if (newestUs > context.newestUs) context.newestUs = newestUs;
    this.lastOrigin = origin;
    this.lastContext = context;
    return context;
  }

  private create(name: string, seen: SeqSet, newestUs: number): OriginContext {
    const context: OriginContext = {
      name,
      number: this.nextNumber++,
      excess: 0,
      seen,
      givenUp: new SeqSet(),
      levels: undefined,
      highest: 0,
      newestUs,
      cut: false,
    };
    this.origins.set(name, context);
    return context;
  }

  /** Forgets the newest stranger for the sake of a protected origin. */
  private makeRoomFor(origin: string): boolean {
    if (!this.isProtected(origin)) return false;
    let newest: OriginContext | undefined;
    for (const context of this.origins.values()) {
      if (this.standingOf(context) === 0) newest = context;
    }
    if (!newest) return false;
    this.cutOff.origins++;
    this.remove(newest);
    return true;
  }

  private remove(context: OriginContext): void {
    this.budget.set(context, 0);
    this.origins.delete(context.name);
    this.lastContext = undefined;
  }

  private get speaks(): number {
    return this.options.speaks ?? 1;
  }

  private mark(context: OriginContext, level: number, seqs: SeqSet): void {
    if (seqs.intervalCount === 0) return;
    context.highest = Math.max(context.highest, seqs.last);
    if (context.cut) return;
    context.levels ??= new Map();
    const { levels } = context;
    const as = levels.has(level) || levels.size < MAX_LEVELS ? level : topOf(levels, level);
    const marked = levels.get(as) ?? new SeqSet();
    levels.set(as, marked);
    marked.addAll(seqs);
    const dropped = marked.dropLowest(this.options.maxIntervals);
    if (dropped > 0) context.givenUp.addRange(1, dropped);
    this.keepToLimits(context);
  }

  /** Keeps to the limits after an origin has changed. */
  private keepToLimits(context: OriginContext): void {
    if (context.cut) {
      context.seen.dropLowest(1);
      return;
    }
    const { maxIntervals, maxIntervalsInAll } = this.options;
    const dropped = context.seen.dropLowest(maxIntervals);
    if (dropped > 0) context.givenUp.addRange(1, dropped);
    this.budget.set(context, excessOf(context));
    while (this.budget.used > maxIntervalsInAll) {
      const victim = this.budget.victim(this.standingOf)!;
      this.curtail(victim);
    }
  }

  private curtail(context: OriginContext): void {
    this.cutOff.origins++;
    context.seen.dropLowest(1);
    context.levels = undefined;
    if (this.standingOf(context) > 0) {
      // Where only live peers are left: the past of this one is given up, what it does from now on is tracked.
      context.givenUp = new SeqSet([1, context.highest]);
    } else {
      context.cut = true;
      context.givenUp = new SeqSet();
    }
    this.budget.set(context, 0);
  }
}

function excessOf({ seen, givenUp, levels }: OriginContext): number {
  let held = seen.intervalCount + givenUp.intervalCount;
  for (const ofLevel of levels?.values() ?? []) held += 1 + ofLevel.intervalCount;
  return Math.max(0, held - FREE_INTERVALS);
}

/** The seqs of events of a higher level than that. */
function above({ levels }: OriginContext, speaks: number): SeqSet {
  const seqs = new SeqSet();
  for (const [level, ofLevel] of levels ?? []) if (level > speaks) seqs.addAll(ofLevel);
  return seqs;
}

/** Beyond so many levels they count as the highest of them: what is of it is claimed to fewer replicas, never to more. */
function topOf(levels: Map<number, SeqSet>, level: number): number {
  const top = Math.max(...levels.keys());
  if (top >= level) return top;
  levels.set(level, levels.get(top)!);
  levels.delete(top);
  return level;
}
