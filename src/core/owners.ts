/**
 * Gateways' processes: which of them are alive, and so which of their requests count.
 *
 * State of one owner: `L` its latest lease with its ttl, `G` the latest time at which it was gone for good, and the time
 * of its newest add, which is a sign of life too. An add at `t` of an owner that is gone does not count when
 * `t <= G + R`. One of an owner whose ttl has run out since its last sign of life does not count while that is so: a
 * suspension, since a gateway may only have been paused. Leases never make anything count longer than it would without: a
 * lease that did would outlive the memory of deletes (I3). So an owner without a lease counts as before there were any.
 *
 * A lease is about the adds up to `REACH` and R after it, no others: whoever has forgotten it by then must come to the same
 * rows as who has not. All of it are maxima, merged like the rest.
 */
import type { LeaseEvent } from './event';
import { MAX_OWNER_TTL_MS } from './event';
import type { Fingerprinting } from './fingerprint';
import { Fingerprint } from './fingerprint';
import type { Add } from './in-flight';
import { DigestedName, GONE_ITEM, LEASE_ITEM, StateDigest } from './state-digest';

const REACH_US = MAX_OWNER_TTL_MS * 1000;
const NEVER = -Infinity;

/** The time by which leases run out. It stands still while the replica may not hear of renewals. */
export interface LeaseTime {
  readonly nowUs: number;
  /** Since when it has heard without a break: what was renewed before then it may not know. */
  readonly heardSinceUs: number;
}

export class Owner {
  leaseUs = NEVER;
  ttlMs = 0;
  goneUs = NEVER;
  newestAddUs = NEVER;
  /** Its ttl has run out since its last sign of life. */
  suspended = false;
  /** Its adds in flight, with their slots. */
  readonly adds = new Map<Add, number>();
  /** Its requests in flight, by cluster. */
  readonly requests = new Map<string, number>();

  constructor(
    readonly name: string,
    readonly digested: DigestedName,
  ) {}

  get lastSignUs(): number {
    return Math.max(this.leaseUs, this.newestAddUs);
  }

  get ttlUs(): number {
    return this.ttlMs * 1000;
  }

  inFlight(): number {
    let count = 0;
    for (const ofCluster of this.requests.values()) count += ofCluster;
    return count;
  }
}

/** What a snapshot says of an owner; 0 for what never was. */
export interface OwnerRecord {
  readonly name: string;
  readonly leaseUs: number;
  readonly ttlMs: number;
  readonly goneUs: number;
  readonly newestAddUs: number;
}

export interface OwnersOptions {
  readonly expireAfterUs: number;
  readonly finishedRetentionUs: number;
  readonly ownerCeiling: number;
  readonly fingerprinting: Fingerprinting;
}

export class Owners {
  /** Over the leases and the times of the gone. */
  readonly digest = new StateDigest();
  private readonly byName = new Map<string, Owner>();
  /** Those whose adds are to be looked at again, each with those that are left. */
  private readonly unsettled = new Map<Owner, Iterator<[Add, number]>>();
  private readonly named: Fingerprint;
  /** The time of leases at the latest look. */
  private time: LeaseTime = { nowUs: NEVER, heardSinceUs: NEVER };

  constructor(private readonly options: OwnersOptions) {
    this.named = new Fingerprint(options.fingerprinting);
  }

  get size(): number {
    return this.byName.size;
  }

  get all(): Iterable<Owner> {
    return this.byName.values();
  }

  find(name: string): Owner | undefined {
    return this.byName.get(name);
  }

  /** Undefined where there is no room for one more. */
  findOrCreate(name: string): Owner | undefined {
    let owner = this.byName.get(name);
    if (!owner && this.byName.size < this.options.ownerCeiling) {
      owner = new Owner(name, new DigestedName(this.named.of(name)));
      this.byName.set(name, owner);
    }
    return owner;
  }

  /** As the API answers them, by name; of one cluster only those that hold requests there. Of the gone, those that hold any. */
  toJson(cluster?: string): string {
    const texts: string[] = [];
    for (const owner of [...this.byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const inFlight = cluster === undefined ? owner.inFlight() : (owner.requests.get(cluster) ?? 0);
      if (inFlight === 0 && (cluster !== undefined || this.isGone(owner))) continue;
      const renewed = Math.max(owner.lastSignUs, 0);
      // Nanoseconds are past 2^53, so they are written as text.
      const time = renewed > 0 ? `${renewed}000` : '0';
      texts.push(
        `{"owner":${JSON.stringify(owner.name)},"in_flight":${inFlight},"alive":${this.isAlive(owner)},"renewed_time":${time}}`,
      );
    }
    return `[${texts.join()}]`;
  }

  hasRoomFor(name: string): boolean {
    return this.byName.has(name) || this.byName.size < this.options.ownerCeiling;
  }

  /** Whether an add of this owner counts, by what is known of the owner. */
  counts({ goneUs, leaseUs, suspended }: Owner, timeUs: number): boolean {
    const { finishedRetentionUs } = this.options;
    if (timeUs <= goneUs + finishedRetentionUs) return false;
    return !suspended || timeUs > leaseUs + REACH_US + finishedRetentionUs;
  }

  /** Not gone, and not silent for longer than its ttl. */
  isAlive(owner: Owner): boolean {
    return !owner.suspended && !this.isGone(owner);
  }

  /** How many there are of each standing. */
  states(): { alive: number; silent: number; gone: number } {
    const states = { alive: 0, silent: 0, gone: 0 };
    for (const owner of this.byName.values()) {
      states[this.isGone(owner) ? 'gone' : owner.suspended ? 'silent' : 'alive']++;
    }
    return states;
  }

  private isGone({ goneUs, lastSignUs }: Owner): boolean {
    return lastSignUs <= goneUs + this.options.finishedRetentionUs;
  }

  /** Whether what was said of an owner at that time can matter no more. */
  isForgotten(timeUs: number, nowUs: number): boolean {
    const { expireAfterUs, finishedRetentionUs } = this.options;
    return timeUs + REACH_US + finishedRetentionUs + expireAfterUs <= nowUs;
  }

  mergeLease(owner: Owner, timeUs: number, ttlMs: LeaseEvent['ttlMs']): void {
    const { leaseUs, name } = owner;
    if (timeUs < leaseUs || (timeUs === leaseUs && ttlMs <= owner.ttlMs)) return;
    const id = this.named.of(name);
    if (leaseUs !== NEVER) this.digest.remove(id, LEASE_ITEM, leaseUs, leaseOf(owner));
    owner.leaseUs = timeUs;
    owner.ttlMs = ttlMs;
    this.digest.add(id, LEASE_ITEM, timeUs, leaseOf(owner));
    // With another lease other adds may be suspended.
    if (owner.suspended) this.unsettle(owner);
    this.judge(owner);
  }

  mergeGone(owner: Owner, timeUs: number): void {
    if (timeUs <= owner.goneUs) return;
    const id = this.named.of(owner.name);
    if (owner.goneUs !== NEVER) this.digest.remove(id, GONE_ITEM, owner.goneUs);
    owner.goneUs = timeUs;
    this.digest.add(id, GONE_ITEM, timeUs);
    this.unsettle(owner);
  }

  /** The owner has made an add at that time. */
  mergeAddTime(owner: Owner, timeUs: number): void {
    if (timeUs <= owner.newestAddUs) return;
    owner.newestAddUs = timeUs;
    this.judge(owner);
  }

  /** Suspends those whose ttl has run out since their last sign of life, and forgets those of whom nothing matters any more. */
  look(time: LeaseTime, nowUs: number): void {
    this.time = time;
    for (const owner of this.byName.values()) {
      this.judge(owner);
      this.forgetIfPast(owner, nowUs);
    }
  }

  /** The slot of the next add to be looked at again; undefined when none is left. */
  nextUnsettled(): number | undefined {
    for (const [owner, adds] of this.unsettled) {
      const next = adds.next();
      if (next.done !== true) return next.value[1];
      this.unsettled.delete(owner);
    }
    return undefined;
  }

  /** The first of an id's adds that is this owner's stands for its request; it may be another one now. */
  standsFor(owner: Owner, before: Add | undefined, after: Add | undefined): void {
    if (before === after) return;
    const { requests } = owner;
    if (before) {
      const { cluster } = before.row;
      const left = requests.get(cluster)! - 1;
      if (left > 0) requests.set(cluster, left);
      else requests.delete(cluster);
    }
    if (after) requests.set(after.row.cluster, (requests.get(after.row.cluster) ?? 0) + 1);
  }

  /** One that is suspended counts again with its next sign of life, not because the replica was cut off meanwhile. */
  private judge(owner: Owner): void {
    if (owner.leaseUs === NEVER) return;
    const { nowUs, heardSinceUs } = this.time;
    const signUs = owner.suspended ? owner.lastSignUs : Math.max(owner.lastSignUs, heardSinceUs);
    const silent = nowUs >= signUs + owner.ttlUs;
    if (silent === owner.suspended) return;
    owner.suspended = silent;
    this.unsettle(owner);
  }

  private unsettle(owner: Owner): void {
    if (owner.adds.size > 0) this.unsettled.set(owner, owner.adds[Symbol.iterator]());
  }

  private forgetIfPast(owner: Owner, nowUs: number): void {
    const { name, leaseUs, goneUs, newestAddUs, adds } = owner;
    if (adds.size > 0 || newestAddUs + this.options.expireAfterUs > nowUs) return;
    if (!this.isForgotten(Math.max(leaseUs, goneUs), nowUs)) return;
    const id = this.named.of(name);
    if (leaseUs !== NEVER) this.digest.remove(id, LEASE_ITEM, leaseUs, leaseOf(owner));
    if (goneUs !== NEVER) this.digest.remove(id, GONE_ITEM, goneUs);
    this.byName.delete(name);
  }
}

export function recordOf({ name, leaseUs, ttlMs, goneUs, newestAddUs }: Owner): OwnerRecord {
  const time = (us: number): number => (us === NEVER ? 0 : us);
  return { name, leaseUs: time(leaseUs), ttlMs, goneUs: time(goneUs), newestAddUs: time(newestAddUs) };
}

/** In the digest, a lease is told from another one of its owner and time by its ttl. */
function leaseOf(owner: Owner) {
  return { origin: owner, row: owner, promptLength: owner.ttlMs };
}
