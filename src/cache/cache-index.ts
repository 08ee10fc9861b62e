/**
 * Which engine's cache holds which prefixes: a flat set of (cluster, hash, engine), each with the newest time at which it was saved.
 * A hash stands for the whole prefix up to its chunk, so there is no tree.
 *
 * A function of the set of events, and advisory (I15). An entry counts while it is newer than the newest clear of its engine, than the
 * time to live, and than the horizon, which rises where there would be more entries than allowed. A clear hides and makes no room:
 * if it did, the horizon and the newest 64 engines of a hash would depend on whether it came before the saves or after. What has gone
 * is taken out later, in passing: columns of numbers, no object and no list of ages per entry. Pure: time is an argument, microseconds.
 */
import { addressOf } from '../core/engine-stats';
import { halfSipHash, type HashKey } from './half-sip-hash';
import type { PrefixHashes } from './prefix-hashes';
import { Recency } from './recency';

export interface CacheOptions {
  /** How long a saved prefix counts. */
  readonly ttlUs: number;
  /** How far ahead of now an event may be. */
  readonly aheadUs: number;
  readonly maxEntries: number;
  /** Of engines, each in its cluster, and of remembered clears. */
  readonly maxHolders: number;
  /** Drawn by chance, once. */
  readonly key: HashKey;
}

/** Anything but `applied` has changed nothing. `full`: too many engines. */
export type CacheOutcome = 'applied' | 'expired' | 'ahead' | 'full';

export interface CacheLocation {
  readonly ip: string;
  /** Leading chunks of the prompt that the engine holds. */
  readonly length: number;
}

/** An engine in a cluster. */
export interface Holder {
  readonly number: number;
  readonly cluster: string;
  readonly clusterNumber: number;
  readonly ip: string;
  readonly address: number;
  clearedUs: number;
  /** Of its newest save. */
  savedUs: number;
  /** Places that it has, those of entries that have gone among them. */
  entries: number;
}

export interface CacheEntry {
  readonly holder: Holder;
  readonly hi: number;
  readonly lo: number;
  readonly timeUs: number;
}

/** Engines remembered for one prefix: the newest. */
export const MAX_ENGINES_PER_HASH = 64;
const NONE = -1;
/** Places for entries that have gone and were not taken out yet, as a share of the others. */
const SLACK = 1 / 8;
/**
 * Entries taken out for each one that comes in, at most. What goes lies side by side, as it came: without a limit the hand would take
 * out nothing for a while, and then tens of thousands in a few saves, at every replica at once.
 */
const TAKEN_OUT_PER_ENTRY = 3;
/**
 * Places looked at for each one that is taken, where no more are taken out. With `n` new entries whose looks go round once, at most
 * `n t/(t - 1)` that have gone are left behind by a round, and `n` more come to be within the next: that must fit into the slack.
 */
const LOOKED_AT_PER_ENTRY = ((2 * TAKEN_OUT_PER_ENTRY - 1) / (TAKEN_OUT_PER_ENTRY - 1)) * (1 + 1 / SLACK);
/** Of the words of an entry, which lie side by side: a look at another place in memory costs more than all else. */
const WORDS = 4;
const HI = 0;
const LO = 1;
/** Of the entry's holder; NONE where the place is free. */
const OWNER = 2;
/** The next entry in the same place of the table, or the next free one. */
const NEXT = 3;
/** Entries of a chain that are read ahead; few have more. */
const STEPS_AHEAD = 2;
/** Of free places: it never goes. */
const FREE_US = Infinity;

export class CacheIndex {
  private readonly recency: Recency;
  /** Of all places; the system gives memory to those that are used. */
  private readonly words: Int32Array;
  private readonly time: Float64Array;
  private readonly heads: Int32Array;
  /** In the table, of each hash that is worked on. */
  private readonly hashPlaces = new Scratch();
  private readonly readAhead = new Scratch();
  private readonly goneEntries = new Scratch();
  private readonly keptHashes = new Scratch();
  private readonly mask: number;
  private readonly places: number;
  private placesUsed = 0;
  private firstFree = NONE;
  private freePlaces = 0;
  private hand = 0;
  private holderHand = 0;
  private readonly holders = new Map<string, Map<string, Holder>>();
  private readonly byNumber: (Holder | undefined)[] = [];
  private readonly freeNumbers: number[] = [];
  private readonly clusterNumbers = new Map<string, number>();
  private lastClusterNumber = 0;
  private holderCount = 0;
  /** Clears of an engine in every cluster. */
  private readonly clears = new Map<string, number>();
  private latestNowUs = 0;

  constructor(readonly options: CacheOptions) {
    this.recency = new Recency(options.ttlUs + options.aheadUs, options.maxEntries);
    this.places = Math.ceil(options.maxEntries * (1 + SLACK)) + MAX_ENGINES_PER_HASH;
    this.words = new Int32Array(WORDS * this.places);
    this.time = new Float64Array(this.places);
    this.mask = 2 ** Math.ceil(Math.log2(options.maxEntries + 1)) - 1;
    this.heads = new Int32Array(this.mask + 1).fill(NONE);
  }

  /** Entries younger than the time to live and than the horizon. */
  get size(): number {
    return this.recency.size;
  }

  /** Entries that left since there were too many. */
  get evicted(): number {
    return this.recency.evicted;
  }

  /** What is at or before it has gone, microseconds since 1970. */
  get horizonUs(): number {
    return this.recency.horizonUs;
  }

  save(cluster: string, ip: string, hashes: PrefixHashes, timeUs: number, nowUs: number): CacheOutcome {
    const now = this.advance(nowUs);
    const refused = this.refuse(timeUs, now);
    if (refused) return refused;
    if (this.recency.isGone(timeUs)) return 'applied';
    const holder = this.holderOf(cluster, ip);
    if (!holder) return 'full';
    if (timeUs > holder.savedUs) holder.savedUs = timeUs;
    this.takeOutGone(hashes.length >> 1);
    const places = this.find(holder.clusterNumber, hashes);
    for (let at = 0; at < hashes.length; at += 2)
      this.raise(holder, places[at >> 1]!, hashes[at]!, hashes[at + 1]!, timeUs);
    return 'applied';
  }

  /** What was saved for the engine until then is gone: in one cluster, or in every one. */
  clear(cluster: string | undefined, ip: string, timeUs: number, nowUs: number): CacheOutcome {
    const now = this.advance(nowUs);
    const refused = this.refuse(timeUs, now);
    if (refused) return refused;
    if (cluster === undefined) {
      if (!this.clears.has(ip) && this.clears.size >= this.options.maxHolders) return 'full';
      const clearedUs = Math.max(timeUs, this.clears.get(ip) ?? 0);
      // The last one that came stands last.
      this.clears.delete(ip);
      this.clears.set(ip, clearedUs);
      return 'applied';
    }
    const holder = this.holderOf(cluster, ip);
    if (!holder) return 'full';
    holder.clearedUs = Math.max(holder.clearedUs, timeUs);
    return 'applied';
  }

  /** The time for a save that begins now: after every clear that is known, whatever the clocks of the others say. */
  timeOfSave(cluster: string, ip: string, nowUs: number): number {
    const holder = this.holders.get(cluster)?.get(ip);
    return Math.max(nowUs, 1 + (holder ? this.clearedUs(holder) : (this.clears.get(ip) ?? 0)));
  }

  /** The time for a clear that begins now: no earlier than any save that it is to clear. */
  timeOfClear(cluster: string | undefined, ip: string, nowUs: number): number {
    if (cluster !== undefined) return Math.max(nowUs, this.holders.get(cluster)?.get(ip)?.savedUs ?? 0);
    let timeUs = nowUs;
    for (const ofCluster of this.holders.values()) timeUs = Math.max(timeUs, ofCluster.get(ip)?.savedUs ?? 0);
    return timeUs;
  }

  /** Of the hashes those that the engine does not hold, or not younger than `ageUs`. */
  notFresh(cluster: string, ip: string, hashes: PrefixHashes, ageUs: number, nowUs: number): PrefixHashes {
    const now = this.advance(nowUs);
    const holder = this.holders.get(cluster)?.get(ip);
    if (!holder) return hashes;
    const places = this.find(holder.clusterNumber, hashes);
    const kept = this.keptHashes.ofLength(hashes.length);
    let count = 0;
    for (let at = 0; at < hashes.length; at += 2) {
      const hi = hashes[at]!;
      const lo = hashes[at + 1]!;
      const entry = this.entryOf(holder, places[at >> 1]!, hi, lo);
      const fresh = entry !== NONE && this.counts(entry, holder, now) && this.time[entry]! + ageUs > now;
      if (fresh) continue;
      kept[count++] = hi;
      kept[count++] = lo;
    }
    return count === hashes.length ? hashes : kept.slice(0, count);
  }

  /**
   * The engines that hold a leading part of the prompt, longest first, then by ascending address, `most` of them: an engine holds
   * as many leading chunks as the last of its hashes that it has says.
   */
  locations(cluster: string, hashes: PrefixHashes, most: number, nowUs: number): CacheLocation[] {
    const now = this.advance(nowUs);
    const clusterNumber = this.clusterNumbers.get(cluster);
    if (clusterNumber === undefined) return [];
    const found: { readonly holder: Holder; readonly length: number }[] = [];
    const seen = new Set<number>();
    for (let at = hashes.length - 2; at >= 0 && found.length < most; at -= 2) {
      const hi = hashes[at]!;
      const lo = hashes[at + 1]!;
      const from = found.length;
      let entry: number = this.heads[this.placeOf(clusterNumber, hi, lo)]!;
      for (; entry !== NONE; entry = this.word(entry, NEXT)) {
        if (this.word(entry, HI) !== hi || this.word(entry, LO) !== lo) continue;
        const holder: Holder = this.byNumber[this.word(entry, OWNER)]!;
        if (holder.clusterNumber !== clusterNumber || seen.has(holder.number)) continue;
        if (!this.counts(entry, holder, now)) continue;
        seen.add(holder.number);
        found.push({ holder, length: at / 2 + 1 });
      }
      if (found.length > from + 1) {
        found.push(...found.splice(from).sort((a, b) => a.holder.address - b.holder.address));
      }
    }
    return found.slice(0, most).map(({ holder, length }) => ({ ip: holder.ip, length }));
  }

  /** Takes out some of what has gone; looks at no more than `slice` entries, engines and clears. */
  sweep(nowUs: number, slice: number): void {
    const now = this.advance(nowUs);
    for (let looked = 0; looked < slice; looked++) this.lookOn();
    for (let looked = Math.min(slice, this.byNumber.length); looked > 0; looked--) this.forgetOne(now);
    let looked = 0;
    for (const [ip, clearedUs] of this.clears) {
      // A clear matters as long as what it clears could be saved late.
      if (++looked > slice || clearedUs + this.options.ttlUs > now) break;
      this.clears.delete(ip);
    }
  }

  /** The clears and the entries that have not gone, for a replica that joins; may go on while the index changes. */
  *clearsAndEntries(
    nowUs: () => number,
  ): Generator<CacheEntry | { cluster: string | undefined; ip: string; clearedUs: number }> {
    for (const [ip, clearedUs] of this.clears) yield { cluster: undefined, ip, clearedUs };
    for (const holder of this.byNumber) {
      if (holder && holder.clearedUs > 0)
        yield { cluster: holder.cluster, ip: holder.ip, clearedUs: holder.clearedUs };
    }
    for (let entry = 0; entry < this.placesUsed; entry++) {
      const owner = this.word(entry, OWNER);
      const holder = owner === NONE ? undefined : this.byNumber[owner];
      this.advance(nowUs());
      if (!holder || this.recency.isGone(this.time[entry]!)) continue;
      yield { holder, hi: this.word(entry, HI), lo: this.word(entry, LO), timeUs: this.time[entry]! };
    }
  }

  private refuse(timeUs: number, now: number): 'expired' | 'ahead' | undefined {
    if (timeUs + this.options.ttlUs <= now) return 'expired';
    return timeUs > now + this.options.aheadUs ? 'ahead' : undefined;
  }

  private advance(nowUs: number): number {
    if (nowUs > this.latestNowUs) {
      this.latestNowUs = nowUs;
      this.recency.expire(nowUs - this.options.ttlUs);
    }
    return this.latestNowUs;
  }

  private clearedUs(holder: Holder): number {
    return Math.max(holder.clearedUs, this.clears.get(holder.ip) ?? 0);
  }

  private counts(entry: number, holder: Holder, now: number): boolean {
    const timeUs = this.time[entry]!;
    return (
      timeUs + this.options.ttlUs > now && !this.recency.isGone(timeUs) && timeUs > this.clearedUs(holder)
    );
  }

  private placeOf(clusterNumber: number, hi: number, lo: number): number {
    return halfSipHash(this.options.key, clusterNumber, hi, lo) & this.mask;
  }

  private word(entry: number, which: number): number {
    return this.words[WORDS * entry + which]!;
  }

  private setWord(entry: number, which: number, value: number): void {
    this.words[WORDS * entry + which] = value;
  }

  /** The hashes' places in the table; all of them have been read. */
  private find(clusterNumber: number, hashes: PrefixHashes): Int32Array {
    const count = hashes.length >> 1;
    const places = this.hashPlaces.ofLength(count);
    for (let i = 0; i < count; i++)
      places[i] = this.placeOf(clusterNumber, hashes[2 * i]!, hashes[2 * i + 1]!);
    this.readChains(places, count);
    return places;
  }

  /**
   * Reads what most chains have, and does nothing with it. Each read of a random place waits for the memory, for longer than all else
   * takes; a processor waits for a dozen at once where none needs the one before, as here and not where the chains are followed.
   */
  private readChains(places: Int32Array, count: number): void {
    const { heads, words } = this;
    const entries = this.readAhead.ofLength(count);
    for (let i = 0; i < count; i++) entries[i] = heads[places[i]!]!;
    for (let step = 0; step < STEPS_AHEAD; step++) {
      for (let i = 0; i < count; i++) {
        if (entries[i] !== NONE) entries[i] = words[WORDS * entries[i]! + NEXT]!;
      }
    }
  }

  private entryOf(holder: Holder, place: number, hi: number, lo: number): number {
    let entry = this.heads[place]!;
    while (
      entry !== NONE &&
      !(
        this.word(entry, HI) === hi &&
        this.word(entry, LO) === lo &&
        this.word(entry, OWNER) === holder.number
      )
    ) {
      entry = this.word(entry, NEXT);
    }
    return entry;
  }

  private raise(holder: Holder, place: number, hi: number, lo: number, timeUs: number): void {
    const { words } = this;
    let others = 0;
    let oldest = NONE;
    let own = NONE;
    for (let entry = this.heads[place]!; entry !== NONE; entry = words[WORDS * entry + NEXT]!) {
      if (words[WORDS * entry + HI] !== hi || words[WORDS * entry + LO] !== lo) continue;
      const owner = this.byNumber[words[WORDS * entry + OWNER]!]!;
      const gone = this.recency.isGone(this.time[entry]!);
      if (owner === holder) {
        if (!gone) {
          this.raiseTime(entry, timeUs);
          return;
        }
        own = entry;
      } else if (!gone && owner.clusterNumber === holder.clusterNumber) {
        others++;
        if (oldest === NONE || this.isOlder(entry, oldest)) oldest = entry;
      }
    }
    if (others >= MAX_ENGINES_PER_HASH) {
      const loser = this.byNumber[this.word(oldest, OWNER)]!;
      const oldestUs = this.time[oldest]!;
      if (timeUs < oldestUs || (timeUs === oldestUs && holder.address > loser.address)) return;
      this.takeOut(oldest, place);
    }
    // The entries before it may have raised the horizon.
    if (this.recency.isGone(timeUs)) return;
    if (own === NONE) this.put(holder, place, hi, lo, timeUs);
    else this.time[own] = timeUs;
    this.recency.add(timeUs);
  }

  /** By time; of equals the one of the higher address, alike everywhere. */
  private isOlder(entry: number, other: number): boolean {
    const difference = this.time[entry]! - this.time[other]!;
    if (difference !== 0) return difference < 0;
    return this.byNumber[this.word(entry, OWNER)]!.address > this.byNumber[this.word(other, OWNER)]!.address;
  }

  private raiseTime(entry: number, timeUs: number): void {
    const before = this.time[entry]!;
    if (timeUs <= before) return;
    this.time[entry] = timeUs;
    this.recency.remove(before);
    this.recency.add(timeUs);
  }

  private put(holder: Holder, place: number, hi: number, lo: number, timeUs: number): void {
    const entry = this.freePlace();
    this.setWord(entry, HI, hi);
    this.setWord(entry, LO, lo);
    this.setWord(entry, OWNER, holder.number);
    this.setWord(entry, NEXT, this.heads[place]!);
    this.time[entry] = timeUs;
    this.heads[place] = entry;
    holder.entries++;
  }

  private freePlace(): number {
    // At most `maxEntries` have not gone, so there is one.
    while (this.firstFree === NONE && this.placesUsed >= this.places) this.lookOn();
    if (this.firstFree === NONE) return this.placesUsed++;
    const entry = this.firstFree;
    this.firstFree = this.word(entry, NEXT);
    this.freePlaces--;
    return entry;
  }

  /** Makes room for so many new entries. */
  private takeOutGone(count: number): void {
    const looks = Math.min(Math.ceil(LOOKED_AT_PER_ENTRY * count), this.placesUsed);
    const most = Math.min(TAKEN_OUT_PER_ENTRY * count, this.placesUsed - this.freePlaces - this.recency.size);
    const gone = this.goneEntries.ofLength(most);
    const places = this.hashPlaces.ofLength(most);
    let taken = 0;
    for (let looked = 0; looked < looks && taken < most; looked++) {
      const entry = this.nextGone();
      if (entry === NONE) continue;
      gone[taken] = entry;
      places[taken++] = this.placeOfEntry(entry);
    }
    this.readChains(places, taken);
    for (let i = 0; i < taken; i++) this.takeOut(gone[i]!, places[i]!);
  }

  /** Looks at the next place, and takes out what has gone. */
  private lookOn(): void {
    const entry = this.nextGone();
    if (entry !== NONE) this.takeOut(entry, this.placeOfEntry(entry));
  }

  /** The entry at the next place, if it has gone. */
  private nextGone(): number {
    if (++this.hand >= this.placesUsed) this.hand = 0;
    return this.placesUsed > 0 && this.recency.isGone(this.time[this.hand]!) ? this.hand : NONE;
  }

  private placeOfEntry(entry: number): number {
    const { clusterNumber } = this.byNumber[this.word(entry, OWNER)]!;
    return this.placeOf(clusterNumber, this.word(entry, HI), this.word(entry, LO));
  }

  private takeOut(entry: number, place: number): void {
    const holder = this.byNumber[this.word(entry, OWNER)]!;
    const timeUs = this.time[entry]!;
    if (!this.recency.isGone(timeUs)) this.recency.remove(timeUs);
    let before = NONE;
    for (let at = this.heads[place]!; at !== entry; at = this.word(at, NEXT)) before = at;
    if (before === NONE) this.heads[place] = this.word(entry, NEXT);
    else this.setWord(before, NEXT, this.word(entry, NEXT));
    this.setWord(entry, OWNER, NONE);
    this.setWord(entry, NEXT, this.firstFree);
    this.time[entry] = FREE_US;
    this.firstFree = entry;
    this.freePlaces++;
    holder.entries--;
  }

  private holderOf(cluster: string, ip: string): Holder | undefined {
    const known = this.holders.get(cluster)?.get(ip);
    if (known) return known;
    if (this.holderCount >= this.options.maxHolders) return undefined;
    let ofCluster = this.holders.get(cluster);
    if (!ofCluster) {
      this.holders.set(cluster, (ofCluster = new Map<string, Holder>()));
      // Never used again for another cluster while entries of it may be left.
      this.clusterNumbers.set(cluster, (this.lastClusterNumber = (this.lastClusterNumber + 1) | 0));
    }
    const number = this.freeNumbers.pop() ?? this.byNumber.length;
    const clusterNumber = this.clusterNumbers.get(cluster)!;
    const holder = {
      number,
      cluster,
      clusterNumber,
      ip,
      address: addressOf(ip),
      clearedUs: 0,
      savedUs: 0,
      entries: 0,
    };
    ofCluster.set(ip, holder);
    this.byNumber[number] = holder;
    this.holderCount++;
    return holder;
  }

  private forgetOne(now: number): void {
    this.holderHand = (this.holderHand + 1) % this.byNumber.length;
    const holder = this.byNumber[this.holderHand];
    if (!holder || holder.entries > 0 || holder.clearedUs + this.options.ttlUs > now) return;
    const ofCluster = this.holders.get(holder.cluster)!;
    ofCluster.delete(holder.ip);
    if (ofCluster.size === 0) {
      this.holders.delete(holder.cluster);
      this.clusterNumbers.delete(holder.cluster);
    }
    this.byNumber[holder.number] = undefined;
    this.freeNumbers.push(holder.number);
    this.holderCount--;
  }
}

/** Room for numbers that are needed for a moment. */
class Scratch {
  private numbers = new Int32Array(0);

  ofLength(length: number): Int32Array {
    if (this.numbers.length < length) this.numbers = new Int32Array(length);
    return this.numbers;
  }
}
