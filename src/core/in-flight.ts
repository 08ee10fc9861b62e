/**
 * The requests in flight: the adds that no deletion covers and that have not expired, by their id's fingerprint.
 *
 * One slot per id. Its adds (normally one) form a list in ascending order of `compareAdds`, so the first one is the
 * id's contribution to the rows, alike at every replica.
 */
import type { EngineStats } from './engine-stats';
import type { Fingerprint } from './fingerprint';
import { HashedSlots } from './hashed-slots';
import type { Owner } from './owners';
import { SecondLists, secondOf } from './second-lists';
import type { DigestedName } from './state-digest';

/** An origin's name, shared by all its adds. */
export interface AddOrigin {
  readonly name: string;
  readonly digested: DigestedName;
  adds: number;
}

export class Add {
  /** The id's next add, when several replicas accepted the same id. */
  next: Add | undefined = undefined;
  /** Whether it is in the row at present, and its prompt too. */
  counts = false;
  countsPrompt = false;
  /** The gateway's process that holds the request. Not part of what makes it this add: older replicas leave it out. */
  owner: Owner | undefined = undefined;

  constructor(
    readonly requestId: string,
    readonly timeUs: number,
    readonly origin: AddOrigin,
    readonly row: EngineStats,
    readonly promptLength: number,
    readonly timestampNs: bigint | undefined,
  ) {}
}

/** The fields that make an add what it is, before it has a row. */
export interface AddIdentity {
  readonly timeUs: number;
  readonly origin: string;
  readonly cluster: string;
  readonly ip: string;
  readonly promptLength: number;
  readonly timestampNs: bigint | undefined;
}

/** Total order of an id's adds, by `(t, origin)`; the rest only decides between forged events. 0 means the same add. */
export function compareAdds(add: Add, other: AddIdentity): number {
  return (
    add.timeUs - other.timeUs ||
    compare(add.origin.name, other.origin) ||
    compare(add.row.cluster, other.cluster) ||
    compare(add.row.ip, other.ip) ||
    add.promptLength - other.promptLength ||
    compare(add.timestampNs ?? -1n, other.timestampNs ?? -1n)
  );
}

/** The last of an id's adds that comes before `other`, if there is one. */
export function lastBefore(first: Add | undefined, other: AddIdentity): Add | undefined {
  let before: Add | undefined;
  for (let add = first; add && compareAdds(add, other) < 0; add = add.next) before = add;
  return before;
}

function compare<T extends string | bigint>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export class InFlight {
  private readonly slots = new HashedSlots();
  private readonly bySecond = new SecondLists();
  private readonly firsts: (Add | undefined)[] = [];
  /** Slots with more than one add: their later adds are listed under the first one's second only. */
  private readonly conflicted = new Set<number>();

  /** Ids in flight. */
  get size(): number {
    return this.slots.size;
  }

  get slotEnd(): number {
    return this.slots.slotEnd;
  }

  find(id: Fingerprint): number {
    return this.slots.find(id);
  }

  firstOf(slot: number): Add | undefined {
    return this.firsts[slot];
  }

  /** The fingerprint of a slot's id, put into `into`. */
  idOf(slot: number, into: Fingerprint): Fingerprint {
    return this.slots.read(slot, into);
  }

  insert(id: Fingerprint, add: Add): number {
    const slot = this.slots.insert(id);
    this.firsts[slot] = add;
    this.bySecond.link(slot, secondOf(add.timeUs));
    return slot;
  }

  /** Puts one more add of the slot's id behind `before`, or before all of them. */
  insertBehind(before: Add | undefined, slot: number, add: Add): void {
    const first = this.firsts[slot];
    add.next = before ? before.next : first;
    if (before) before.next = add;
    this.replace(slot, before ? first : add);
  }

  /** Gives the slot another list of adds; none releases it. */
  replace(slot: number, first: Add | undefined): void {
    const old = this.firsts[slot]!;
    this.firsts[slot] = first;
    if (first !== old) {
      this.bySecond.unlink(slot, secondOf(old.timeUs));
      if (first) this.bySecond.link(slot, secondOf(first.timeUs));
      else this.slots.remove(slot);
    }
    if (first?.next) this.conflicted.add(slot);
    else if (this.conflicted.size > 0) this.conflicted.delete(slot);
  }

  /**
   * Calls `drop` for slots whose first add is at or before `untilUs`; `drop` must remove every such add of the slot.
   * Visits at most `slice` slots; true when none is left, as `SecondLists.visitUntil` has it.
   */
  expire(untilUs: number, slice: number, drop: (slot: number) => void): boolean {
    return this.bySecond.visitUntil(untilUs, slice, (slot) => {
      if (this.firsts[slot]!.timeUs <= untilUs) drop(slot);
    });
  }

  /** The slots whose first add is of one second of event time; undefined where they are more than `most`. */
  ofSecond(second: number, most: number): number[] | undefined {
    return this.bySecond.slotsOf(second, most);
  }

  /** Undefined for a slot that is free. */
  secondAt(slot: number): number | undefined {
    const first = this.firsts[slot];
    return first && secondOf(first.timeUs);
  }

  /** The slots with several adds, of whatever seconds. */
  get conflicts(): ReadonlySet<number> {
    return this.conflicted;
  }
}
