/**
 * The latest deletion time of each request id, by its fingerprint: finished ids, and deletes that wait for their add.
 *
 * Used twice, for deletes (`D`) and for prompt-deletes (`P`). A time is remembered exactly until
 * `time + R + E <= now`: as long as an add that it covers would not be refused by its own age. About 48 bytes an
 * entry: 16 of fingerprint, 4 of place, 8 of time, 4 of row, 8 of links, 8 of index.
 */
import type { Fingerprinting } from './fingerprint';
import { Fingerprint } from './fingerprint';
import type { ItemKind, StateDigest } from './state-digest';
import { HashedSlots, NO_SLOT, float64Column, int32Column } from './hashed-slots';
import { SecondLists, secondOf } from './second-lists';

/** Stands for "no add of this id has been seen". */
const NO_ROW = -1;

/** Rows remembered of one id: an id that is used for ever again would collect every engine. */
export const MAX_ROWS_OF_A_DELETE = 64;

/** Raises remembered one by one: those of some seconds under full load. */
const RAISES_REMEMBERED = 16_384;

export class DeletionTimes {
  /** How often a time was raised so far. */
  raises = 0;
  private readonly slots = new HashedSlots();
  private readonly bySecond = new SecondLists();
  private readonly times = float64Column();
  private readonly rows = int32Column();
  /** Rows beyond the first, for ids whose conflicting adds named several engines. */
  private readonly moreRows = new Map<number, number[]>();
  private waitingCount = 0;
  private readonly raisedSlots = new Int32Array(RAISES_REMEMBERED);
  private readonly removed: Fingerprint;

  constructor(
    private readonly keepForUs: number,
    private readonly kind: ItemKind,
    private readonly digest: StateDigest,
    by: Fingerprinting,
  ) {
    this.removed = new Fingerprint(by);
  }

  get size(): number {
    return this.slots.size;
  }

  /** How many remembered deletions wait for their add. */
  get waiting(): number {
    return this.waitingCount;
  }

  /** Bound of a walk with `isUsed` over all slots; slots keep their number while used. */
  get slotEnd(): number {
    return this.slots.slotEnd;
  }

  isUsed(slot: number): boolean {
    return this.times.get(slot) >= 0;
  }

  /** The slot that remembers this id at `nowUs`, or NO_SLOT. */
  find(id: Fingerprint, nowUs: number): number {
    const slot = this.slots.find(id);
    return slot !== NO_SLOT && this.times.get(slot) + this.keepForUs > nowUs ? slot : NO_SLOT;
  }

  timeOf(slot: number): number {
    return this.times.get(slot);
  }

  /** The fingerprint of a slot's id, put into `into`. */
  idOf(slot: number, into: Fingerprint): Fingerprint {
    return this.slots.read(slot, into);
  }

  isWaiting(slot: number): boolean {
    return this.rows.get(slot) === NO_ROW;
  }

  /** The rows of the adds that this deletion covered. */
  rowsOf(slot: number): readonly number[] {
    const first = this.rows.get(slot);
    if (first === NO_ROW) return [];
    const more = this.moreRows.get(slot);
    return more ? [first, ...more] : [first];
  }

  /** Remembers `timeUs` for the id, or the later of it and what is remembered; returns the slot. */
  raise(id: Fingerprint, timeUs: number, nowUs: number): number {
    let slot = this.slots.find(id);
    if (slot !== NO_SLOT && this.times.get(slot) + this.keepForUs <= nowUs) {
      this.remove(slot);
      slot = NO_SLOT;
    }
    if (slot === NO_SLOT) {
      slot = this.slots.insert(id);
      this.times.ensure(slot);
      this.rows.ensure(slot);
      this.rows.set(slot, NO_ROW);
      this.waitingCount++;
    } else {
      const old = this.times.get(slot);
      if (old >= timeUs) return slot;
      this.bySecond.unlink(slot, secondOf(old));
      this.digest.remove(id, this.kind, old);
    }
    this.times.set(slot, timeUs);
    this.bySecond.link(slot, secondOf(timeUs));
    this.digest.add(id, this.kind, timeUs);
    this.raisedSlots[this.raises++ % RAISES_REMEMBERED] = slot;
    return slot;
  }

  addRow(slot: number, row: number): void {
    const first = this.rows.get(slot);
    if (first === NO_ROW) {
      this.rows.set(slot, row);
      this.waitingCount--;
    } else if (first !== row) {
      const more = this.moreRows.get(slot);
      if (!more) this.moreRows.set(slot, [row]);
      else if (more.length < MAX_ROWS_OF_A_DELETE - 1 && !more.includes(row)) more.push(row);
    }
  }

  remove(slot: number): void {
    const timeUs = this.times.get(slot);
    this.bySecond.unlink(slot, secondOf(timeUs));
    this.digest.remove(this.slots.read(slot, this.removed), this.kind, timeUs);
    if (this.rows.get(slot) === NO_ROW) this.waitingCount--;
    else this.moreRows.delete(slot);
    this.times.set(slot, -1);
    this.slots.remove(slot);
  }

  /** Forgets at most `slice` times that are past their keeping; true when none is left. */
  expire(nowUs: number, slice: number): boolean {
    for (let budget = slice; ;) {
      const second = this.bySecond.oldestSecond();
      // A whole second at a time: `find` already hides what is past its keeping within the second.
      if ((second + 1) * 1_000_000 + this.keepForUs > nowUs) return true;
      for (let slot = this.bySecond.headOf(second); slot !== NO_SLOT; slot = this.bySecond.headOf(second)) {
        if (budget-- === 0) return false;
        this.remove(slot);
      }
    }
  }

  /** The slots raised since `raises` had that value, or undefined when that is too long ago. */
  raisedSince(raises: number): number[] | undefined {
    if (this.raises - raises > RAISES_REMEMBERED) return undefined;
    const slots = new Set<number>();
    for (let i = raises; i < this.raises; i++) slots.add(this.raisedSlots[i % RAISES_REMEMBERED]!);
    return [...slots];
  }

  /** The slots of one second of deletion time; undefined where they are more than `most`. */
  ofSecond(second: number, most: number): number[] | undefined {
    return this.bySecond.slotsOf(second, most);
  }

  /** Undefined for a slot that is free. */
  secondAt(slot: number): number | undefined {
    return this.isUsed(slot) ? secondOf(this.times.get(slot)) : undefined;
  }
}
