/**
 * The view: every cluster's rows, as a function of the set of events and of now. Never a counter.
 *
 * State of one id: its uncovered adds (`InFlight`), the latest prompt-delete time `P` and the latest delete time `D`
 * (`DeletionTimes`). An add at `t` is covered when `t <= D + R`, its prompt is gone when `t <= P + R`, and it is
 * expired when `t + E <= now`. An id's contribution is that of its first add; a row changes only by taking the old
 * contribution out and putting the new one in. Merging is idempotent, commutative and associative, so order and
 * duplicates cannot matter. A `P` at or before `D` says nothing more and is dropped. Adds of a gateway's process that is gone
 * or silent stay, but do not count (`Owners`).
 *
 * Pure: time is an argument (microseconds), and never goes back in here.
 */
import { DeletionTimes } from './deletion-times';
import type { EngineStats } from './engine-stats';
import { EngineTable } from './engine-table';
import type { LoadEvent, OwnerEvent } from './event';
import type { Fingerprinting } from './fingerprint';
import { Fingerprint } from './fingerprint';
import { NO_SLOT } from './hashed-slots';
import type { AddIdentity, AddOrigin } from './in-flight';
import { Add, InFlight, compareAdds, lastBefore } from './in-flight';
import { type LeaseTime, type Owner, type OwnerRecord, Owners } from './owners';
import type { DigestedContent } from './state-digest';
import { ADD_ITEM, DELETE_ITEM, DigestedName, PROMPT_DELETE_ITEM, StateDigest } from './state-digest';

export interface LoadStatsOptions {
  /** E: an in-flight request older than this is dropped. */
  readonly expireAfterUs: number;
  /** R: how far an add may be ahead of a deletion that still covers it. */
  readonly finishedRetentionUs: number;
  /** Ids in flight beyond which further ones are dropped. */
  readonly inFlightCeiling: number;
  /** Rows beyond which further ones are dropped. */
  readonly engineCeiling: number;
  /**
   * Remembered deletes, and prompt-deletes, beyond which further ids are dropped. What is in flight can always end: its
   * deletions are applied beyond the ceiling, by at most `inFlightCeiling`, since no id comes in while it is reached.
   */
  readonly finishedCeiling: number;
  /** Deletions that wait for their add, beyond which further ones are dropped. */
  readonly waitingCeiling: number;
  /** Owners beyond which further ones are dropped, and what they report. */
  readonly ownerCeiling: number;
  readonly fingerprinting: Fingerprinting;
}

/** What became of an event. Anything but `applied` has changed nothing. */
export type Outcome =
  | 'applied'
  /** So old that its request has expired everywhere. */
  | 'expired'
  /** From further ahead of now than R. */
  | 'ahead'
  | 'in-flight-ceiling'
  | 'engine-ceiling'
  | 'finished-ceiling'
  | 'conflict-ceiling'
  | 'owner-ceiling';

/** Conflicting adds kept for one id: as many as replicas could honestly accept at once, and far more. */
const MAX_ADDS_OF_AN_ID = 64;
/** Adds that are kept in all, as a multiple of the ids in flight: forged conflicts must not fill the memory. */
const MAX_ADDS_FACTOR = 2;
/** Adds looked at again at once when an owner's standing changes: some milliseconds. The rest waits for the next slice. */
const SETTLED_AT_ONCE = 5_000;

export interface RowName {
  readonly cluster: string;
  readonly ip: string;
}

export interface RequestStatus {
  /** The id's first add in flight. */
  readonly add: Add | undefined;
  readonly deletedUs: number | undefined;
  /** Whether that delete has come before any add. */
  readonly deleteWaits: boolean;
  readonly promptDeletedUs: number | undefined;
}

export class LoadStats {
  /** Over the adds in flight, and over the remembered delete and prompt-delete times, which are kept R longer. */
  readonly addDigest = new StateDigest();
  readonly deletionDigest = new StateDigest();
  /** Over whose the adds in flight are, which not every replica knows. */
  readonly ownedDigest = new StateDigest();
  readonly inFlight = new InFlight();
  readonly deletes: DeletionTimes;
  readonly promptDeletes: DeletionTimes;
  readonly engines: EngineTable;
  readonly owners: Owners;
  /** Requests dropped because even their newest add was E old. */
  expiredRequests = 0;
  /** Adds of other replicas that took a row beyond the `max_queued` under which this one had booked there, however they came. */
  selectOverLimit = 0;
  /** Requests that stopped counting because their owner was gone or silent. */
  releasedRequests = 0;
  private readonly origins = new Map<string, AddOrigin>();
  /** Of the id of the report at hand, of one that is read from a slot, and of names. */
  private readonly reported: Fingerprint;
  private readonly held: Fingerprint;
  private readonly named: Fingerprint;
  private latestNowUs = 0;
  /** Adds in flight: more than ids where adds conflict. */
  private liveAdds = 0;

  constructor(readonly options: LoadStatsOptions) {
    const keepForUs = options.finishedRetentionUs + options.expireAfterUs;
    const { fingerprinting } = options;
    this.reported = new Fingerprint(fingerprinting);
    this.held = new Fingerprint(fingerprinting);
    this.named = new Fingerprint(fingerprinting);
    this.deletes = new DeletionTimes(keepForUs, DELETE_ITEM, this.deletionDigest, fingerprinting);
    this.promptDeletes = new DeletionTimes(
      keepForUs,
      PROMPT_DELETE_ITEM,
      this.deletionDigest,
      fingerprinting,
    );
    this.engines = new EngineTable(options.expireAfterUs, options.finishedRetentionUs, fingerprinting);
    this.owners = new Owners(options);
  }

  /** The latest now that the view was ever told, or the one given if that is later. */
  advance(nowUs: number): number {
    if (nowUs > this.latestNowUs) this.latestNowUs = nowUs;
    return this.latestNowUs;
  }

  /** The latest now that the view was ever told. */
  get latestUs(): number {
    return this.latestNowUs;
  }

  apply(event: LoadEvent | OwnerEvent, nowUs: number): Outcome {
    if (event.type === 'add') return this.mergeAdd(event.requestId, event, nowUs);
    if (event.type === 'delete') {
      return this.mergeDelete(this.reported.of(event.requestId), event.timeUs, nowUs);
    }
    if (event.type === 'prompt-delete') {
      return this.mergePromptDelete(this.reported.of(event.requestId), event.timeUs, nowUs);
    }
    const { owner: name, timeUs } = event;
    const [leaseUs, ttlMs] = event.type === 'owner' ? [timeUs, event.ttlMs] : [0, 0];
    const goneUs = event.type === 'owner-gone' ? timeUs : 0;
    return this.mergeOwner({ name, leaseUs, ttlMs, goneUs, newestAddUs: 0 }, nowUs);
  }

  /** What is known of an id: decides the answer to a report of it. */
  statusOf(requestId: string, nowUs: number): RequestStatus {
    const now = this.advance(nowUs);
    const id = this.reported.of(requestId);
    const slot = this.inFlight.find(id);
    let add = slot === NO_SLOT ? undefined : this.inFlight.firstOf(slot);
    while (add && add.timeUs + this.options.expireAfterUs <= now) add = add.next;
    const deleted = this.deletes.find(id, now);
    const promptDeleted = this.promptDeletes.find(id, now);
    return {
      add,
      deletedUs: deleted === NO_SLOT ? undefined : this.deletes.timeOf(deleted),
      deleteWaits: deleted !== NO_SLOT && this.deletes.isWaiting(deleted),
      promptDeletedUs: promptDeleted === NO_SLOT ? undefined : this.promptDeletes.timeOf(promptDeleted),
    };
  }

  mergeAdd(
    requestId: string,
    fields: AddIdentity & { readonly owner?: string | undefined },
    nowUs: number,
  ): Outcome {
    const { expireAfterUs, finishedRetentionUs, engineCeiling } = this.options;
    const now = this.advance(nowUs);
    const { timeUs } = fields;
    const refused = this.refuseByAge(timeUs, expireAfterUs, now);
    if (refused) return refused;
    const id = this.reported.of(requestId);
    const deleted = this.deletes.find(id, now);
    const covered = deleted !== NO_SLOT && timeUs <= this.deletes.timeOf(deleted) + finishedRetentionUs;
    const slot = covered ? NO_SLOT : this.inFlight.find(id);
    if (!covered && slot === NO_SLOT) {
      const full = this.refuseNewId();
      if (full) return full;
    }
    let row = this.engines.find(fields.cluster, fields.ip);
    if (!row && this.engines.size >= engineCeiling) return 'engine-ceiling';
    if (fields.owner !== undefined && !this.owners.hasRoomFor(fields.owner)) return 'owner-ceiling';
    const first = slot === NO_SLOT ? undefined : this.inFlight.firstOf(slot);
    const before = first && lastBefore(first, fields);
    const after = before ? before.next : first;
    if (after && compareAdds(after, fields) === 0) {
      if (fields.owner !== undefined) this.learnOwner(after, fields.owner, slot, now);
      return 'applied';
    }
    if (first && this.hasTooManyAdds(first)) return 'conflict-ceiling';
    const owner = fields.owner === undefined ? undefined : this.owners.findOrCreate(fields.owner);
    if (owner) this.owners.mergeAddTime(owner, timeUs);

    row ??= this.engines.create(fields.cluster, fields.ip, timeUs);
    this.engines.touch(row, timeUs, now);
    this.markPromptDeleted(row, id, timeUs, now);
    if (covered) {
      this.engines.touch(row, this.deletes.timeOf(deleted), now);
      this.deletes.addRow(deleted, row.number);
      if (owner) this.settle(SETTLED_AT_ONCE, now);
      return 'applied';
    }
    const origin = this.originOf(fields.origin);
    const add = new Add(requestId, timeUs, origin, row, fields.promptLength, fields.timestampNs);
    this.taken(add, id);
    if (first) {
      takeOut(first);
      this.inFlight.insertBehind(before, slot, add);
    }
    const inSlot = first ? slot : this.inFlight.insert(id, add);
    if (owner) this.giveTo(owner, add, inSlot);
    this.putIn(before ? first : add, id, now);
    if (!first && exceedsSelect(row, fields)) this.selectOverLimit++;
    if (owner) this.settle(SETTLED_AT_ONCE, now);
    return 'applied';
  }

  /** `rows` names the engines whose adds the delete is known to have covered elsewhere. */
  mergeDelete(id: Fingerprint, timeUs: number, nowUs: number, rows: readonly RowName[] = []): Outcome {
    const now = this.advance(nowUs);
    const refused = this.refuseDeletion(this.deletes, id, timeUs, now);
    if (refused) return refused;
    const deleted = this.deletes.raise(id, timeUs, now);
    const deletedUs = this.deletes.timeOf(deleted);
    for (const { cluster, ip } of rows) {
      const row = this.engines.find(cluster, ip);
      if (row) this.deletes.addRow(deleted, row.number);
    }
    this.touchRowsOf(deleted, deletedUs, now);
    const slot = this.inFlight.find(id);
    if (slot !== NO_SLOT) {
      this.markCovered(this.deletes, deleted, this.inFlight.firstOf(slot)!, now);
      this.dropAdds(slot, deletedUs + this.options.finishedRetentionUs, now);
    }
    const promptDeleted = this.promptDeletes.find(id, now);
    if (promptDeleted === NO_SLOT) return 'applied';
    const promptDeletedUs = this.promptDeletes.timeOf(promptDeleted);
    if (promptDeletedUs <= deletedUs) this.promptDeletes.remove(promptDeleted);
    else this.touchRowsOf(deleted, promptDeletedUs, now);
    return 'applied';
  }

  mergePromptDelete(id: Fingerprint, timeUs: number, nowUs: number): Outcome {
    const now = this.advance(nowUs);
    const refused = this.refuseDeletion(this.promptDeletes, id, timeUs, now);
    if (refused) return refused;
    const deleted = this.deletes.find(id, now);
    if (deleted !== NO_SLOT) {
      if (timeUs <= this.deletes.timeOf(deleted)) return 'applied';
      this.touchRowsOf(deleted, timeUs, now);
    }
    const promptDeleted = this.promptDeletes.raise(id, timeUs, now);
    const slot = this.inFlight.find(id);
    if (slot === NO_SLOT) return 'applied';
    const first = this.inFlight.firstOf(slot)!;
    takeOut(first);
    this.markCovered(this.promptDeletes, promptDeleted, first, now);
    this.putIn(first, id, now);
    return 'applied';
  }

  /** What is known of a gateway's process; 0 for what never was. */
  mergeOwner({ name, leaseUs, ttlMs, goneUs, newestAddUs }: OwnerRecord, nowUs: number): Outcome {
    const { expireAfterUs, finishedRetentionUs } = this.options;
    const now = this.advance(nowUs);
    if (Math.max(leaseUs, goneUs, newestAddUs) > now + finishedRetentionUs) return 'ahead';
    const saysNothing =
      this.owners.isForgotten(Math.max(leaseUs, goneUs), now) && newestAddUs + expireAfterUs <= now;
    if (saysNothing) return 'expired';
    const owner = this.owners.findOrCreate(name);
    if (!owner) return 'owner-ceiling';
    if (newestAddUs > 0) this.owners.mergeAddTime(owner, newestAddUs);
    if (leaseUs > 0) this.owners.mergeLease(owner, leaseUs, ttlMs);
    if (goneUs > 0) this.owners.mergeGone(owner, goneUs);
    this.settle(SETTLED_AT_ONCE, now);
    return 'applied';
  }

  /** Suspends owners that have been silent for longer than their ttl; what they hold is then to be settled. */
  lookAtOwners(lease: LeaseTime, nowUs: number): void {
    this.owners.look(lease, this.advance(nowUs));
  }

  /** Looks again at adds whose owner's standing has changed, at most `slice` of them; true when none is left. */
  settle(slice: number, nowUs: number): boolean {
    const now = this.advance(nowUs);
    for (let budget = slice; budget > 0; budget--) {
      const slot = this.owners.nextUnsettled();
      if (slot === undefined) return true;
      const first = this.inFlight.firstOf(slot)!;
      const before = countedOf(first);
      const after = this.firstCounting(first);
      if (before === after) continue;
      takeOut(first);
      this.putIn(first, this.inFlight.idOf(slot, this.held), now);
      if (!after) this.releasedRequests++;
    }
    return false;
  }

  /** An idle row that another replica knows: merged by the maximum of its event times. */
  mergeRow(cluster: string, ip: string, updatedUs: number, nowUs: number): Outcome {
    const now = this.advance(nowUs);
    const refused = this.refuseByAge(updatedUs, this.options.expireAfterUs, now);
    if (refused) return refused;
    let row = this.engines.find(cluster, ip);
    if (!row && this.engines.size >= this.options.engineCeiling) return 'engine-ceiling';
    row ??= this.engines.create(cluster, ip, updatedUs);
    this.engines.touch(row, updatedUs, now);
    return 'applied';
  }

  /** Drops what is past its time, looking at no more than about `slice` things; true when nothing is left to drop. */
  expire(nowUs: number, slice: number): boolean {
    const now = this.advance(nowUs);
    const untilUs = now - this.options.expireAfterUs;
    return (
      this.inFlight.expire(untilUs, slice, (slot) => this.expireAdds(slot, untilUs, now)) &&
      this.deletes.expire(now, slice) &&
      this.promptDeletes.expire(now, slice) &&
      this.engines.expire(now, slice)
    );
  }

  protected expireAdds(slot: number, untilUs: number, now: number): void {
    const counted = countedOf(this.inFlight.firstOf(slot)!) !== undefined;
    this.dropAdds(slot, untilUs, now);
    // A slot that was released has no adds. What did not count any more is no sign of a lost delete.
    if (counted && !this.inFlight.firstOf(slot)) this.expiredRequests++;
  }

  /** Refuses what is `keepForUs` old, and what is further ahead than clocks may be apart. */
  private refuseByAge(timeUs: number, keepForUs: number, now: number): 'expired' | 'ahead' | undefined {
    if (timeUs + keepForUs <= now) return 'expired';
    return timeUs > now + this.options.finishedRetentionUs ? 'ahead' : undefined;
  }

  private refuseDeletion(
    of: DeletionTimes,
    id: Fingerprint,
    timeUs: number,
    now: number,
  ): Outcome | undefined {
    const { expireAfterUs, finishedRetentionUs, finishedCeiling, waitingCeiling } = this.options;
    const refused = this.refuseByAge(timeUs, finishedRetentionUs + expireAfterUs, now);
    if (refused) return refused;
    const full = of.size >= finishedCeiling || of.waiting >= waitingCeiling;
    const isNew = full && of.find(id, now) === NO_SLOT && this.inFlight.find(id) === NO_SLOT;
    return isNew ? 'finished-ceiling' : undefined;
  }

  private refuseNewId(): Outcome | undefined {
    const { inFlightCeiling, finishedCeiling } = this.options;
    if (this.inFlight.size >= inFlightCeiling) return 'in-flight-ceiling';
    const full = this.deletes.size >= finishedCeiling || this.promptDeletes.size >= finishedCeiling;
    return full ? 'finished-ceiling' : undefined;
  }

  private hasTooManyAdds(first: Add): boolean {
    if (first.next && countOf(first) >= MAX_ADDS_OF_AN_ID) return true;
    return this.liveAdds >= MAX_ADDS_FACTOR * this.options.inFlightCeiling;
  }

  /** A prompt-delete of a new add's id remembers the add's row, and concerns it where it covers the add. */
  private markPromptDeleted(row: EngineStats, id: Fingerprint, timeUs: number, now: number): void {
    const promptDeleted = this.promptDeletes.find(id, now);
    if (promptDeleted === NO_SLOT) return;
    this.promptDeletes.addRow(promptDeleted, row.number);
    const promptDeletedUs = this.promptDeletes.timeOf(promptDeleted);
    if (timeUs <= promptDeletedUs + this.options.finishedRetentionUs) {
      this.engines.touch(row, promptDeletedUs, now);
    }
  }

  /** The deletion `of` remembers the rows of the adds that it covers, from `first` on, and concerns them. */
  private markCovered(times: DeletionTimes, of: number, first: Add, now: number): void {
    const timeUs = times.timeOf(of);
    const untilUs = timeUs + this.options.finishedRetentionUs;
    for (let add: Add | undefined = first; add && add.timeUs <= untilUs; add = add.next) {
      times.addRow(of, add.row.number);
      this.engines.touch(add.row, timeUs, now);
    }
  }

  private touchRowsOf(deleted: number, timeUs: number, now: number): void {
    for (const number of this.deletes.rowsOf(deleted)) {
      this.engines.touch(this.engines.byNumberOf(number), timeUs, now);
    }
  }

  /** Drops the adds of a slot that are no later than `untilUs`. */
  private dropAdds(slot: number, untilUs: number, now: number): void {
    const id = this.inFlight.idOf(slot, this.held);
    const first = this.inFlight.firstOf(slot)!;
    takeOut(first);
    let left: Add | undefined = first;
    for (; left && left.timeUs <= untilUs; left = left.next) {
      this.dropped(left, id);
      this.takeFromOwner(left, first, id);
    }
    this.inFlight.replace(slot, left);
    if (left) this.putIn(left, id, now);
  }

  /** Puts the first of an id's adds that counts into its row, if there is one. */
  private putIn(first: Add, id: Fingerprint, now: number): void {
    const add = first.owner === undefined ? first : this.firstCounting(first);
    if (!add) return;
    const promptDeleted = this.promptDeletes.find(id, now);
    const promptGone =
      promptDeleted !== NO_SLOT &&
      add.timeUs <= this.promptDeletes.timeOf(promptDeleted) + this.options.finishedRetentionUs;
    add.row.queuedRequests++;
    add.counts = true;
    add.countsPrompt = !promptGone;
    if (!promptGone) {
      add.row.promptLength += add.promptLength;
      add.row.prefillRequests++;
    }
    add.row.changed();
  }

  private firstCounting(first: Add): Add | undefined {
    let add: Add | undefined = first;
    while (add?.owner && !this.owners.counts(add.owner, add.timeUs)) add = add.next;
    return add;
  }

  /** An add that is in its slot's list, and not in its row. */
  private giveTo(owner: Owner, add: Add, slot: number): void {
    const first = this.inFlight.firstOf(slot)!;
    const before = firstOfOwner(first, owner);
    add.owner = owner;
    this.owners.standsFor(owner, before, firstOfOwner(first, owner));
    owner.adds.set(add, slot);
    const id = this.inFlight.idOf(slot, this.held);
    this.ownedDigest.add(id, ADD_ITEM, add.timeUs, ownershipOf(add, owner));
  }

  /** The counterpart: `first` is that of the add's id. */
  private takeFromOwner(add: Add, first: Add, id: Fingerprint): void {
    const { owner } = add;
    if (!owner) return;
    const before = firstOfOwner(first, owner);
    add.owner = undefined;
    this.owners.standsFor(owner, before, firstOfOwner(first, owner));
    owner.adds.delete(add);
    this.ownedDigest.remove(id, ADD_ITEM, add.timeUs, ownershipOf(add, owner));
  }

  /** Whose an add is that came without its owner, or, where events are forged, with several: then the last by name. */
  private learnOwner(add: Add, name: string, slot: number, now: number): void {
    if (add.owner && add.owner.name >= name) return;
    const owner = this.owners.findOrCreate(name)!;
    const first = this.inFlight.firstOf(slot)!;
    takeOut(first);
    this.takeFromOwner(add, first, this.inFlight.idOf(slot, this.held));
    this.giveTo(owner, add, slot);
    this.owners.mergeAddTime(owner, add.timeUs);
    this.putIn(first, this.inFlight.idOf(slot, this.held), now);
    this.settle(SETTLED_AT_ONCE, now);
  }

  private taken(add: Add, id: Fingerprint): void {
    add.origin.adds++;
    add.row.liveAdds++;
    this.liveAdds++;
    this.addDigest.add(id, ADD_ITEM, add.timeUs, add);
  }

  private dropped(add: Add, id: Fingerprint): void {
    this.addDigest.remove(id, ADD_ITEM, add.timeUs, add);
    add.row.liveAdds--;
    this.liveAdds--;
    if (--add.origin.adds === 0) this.origins.delete(add.origin.name);
  }

  private originOf(name: string): AddOrigin {
    let origin = this.origins.get(name);
    if (!origin) {
      origin = { name, digested: new DigestedName(this.named.of(name)), adds: 0 };
      this.origins.set(name, origin);
    }
    return origin;
  }
}

/** The one of an id's adds that is in its row. */
function countedOf(first: Add): Add | undefined {
  let add: Add | undefined = first;
  while (add && !add.counts) add = add.next;
  return add;
}

/** In the digest of whose the adds are. */
function ownershipOf({ origin }: Add, owner: Owner): DigestedContent {
  return { origin, row: owner, promptLength: 0 };
}

function firstOfOwner(first: Add | undefined, owner: Owner): Add | undefined {
  let add = first;
  while (add && add.owner !== owner) add = add.next;
  return add;
}

/** Takes the one of an id's adds that counts out of its row. */
function takeOut(first: Add): void {
  const add = countedOf(first);
  if (!add) return;
  add.counts = false;
  add.row.queuedRequests--;
  if (add.countsPrompt) {
    add.row.promptLength -= add.promptLength;
    add.row.prefillRequests--;
  }
  add.row.changed();
}

function exceedsSelect(row: EngineStats, { timeUs, origin }: AddIdentity): boolean {
  return (
    row.queuedRequests > row.selectLimit && timeUs < row.selectLimitUntilUs && origin !== row.selectOrigin
  );
}

function countOf(first: Add): number {
  let count = 0;
  for (let add: Add | undefined = first; add; add = add.next) count++;
  return count;
}
