/**
 * Slots grouped by the second of their event time: what makes expiry and per-second repair time-ordered.
 *
 * Each second has a doubly linked list of slots through two columns; linking and unlinking are O(1). The seconds
 * in use span about E + R, so finding the oldest one is a short walk that only moves forward.
 */
import { NO_SLOT, int32Column } from './hashed-slots';

export function secondOf(timeUs: number): number {
  return Math.floor(timeUs / 1_000_000);
}

export class SecondLists {
  private readonly next = int32Column();
  private readonly previous = int32Column();
  private readonly heads = new Map<number, number>();
  private oldest = Infinity;
  private newest = -Infinity;

  link(slot: number, second: number): void {
    this.next.ensure(slot);
    this.previous.ensure(slot);
    const head = this.heads.get(second) ?? NO_SLOT;
    this.next.set(slot, head);
    this.previous.set(slot, NO_SLOT);
    if (head !== NO_SLOT) this.previous.set(head, slot);
    this.heads.set(second, slot);
    if (second < this.oldest) this.oldest = second;
    if (second > this.newest) this.newest = second;
  }

  unlink(slot: number, second: number): void {
    const next = this.next.get(slot);
    const previous = this.previous.get(slot);
    if (next !== NO_SLOT) this.previous.set(next, previous);
    if (previous !== NO_SLOT) this.next.set(previous, next);
    else if (next !== NO_SLOT) this.heads.set(second, next);
    else this.heads.delete(second);
  }

  /** The oldest second that has slots, or Infinity. */
  oldestSecond(): number {
    if (this.heads.size === 0) {
      this.oldest = Infinity;
      this.newest = -Infinity;
      return Infinity;
    }
    if (this.newest - this.oldest > 4 * this.heads.size + 1000) {
      // A jump of the clock left a wide gap: look at the seconds in use instead of walking over it.
      this.oldest = Infinity;
      for (const second of this.heads.keys()) if (second < this.oldest) this.oldest = second;
    }
    while (!this.heads.has(this.oldest)) this.oldest++;
    return this.oldest;
  }

  headOf(second: number): number {
    return this.heads.get(second) ?? NO_SLOT;
  }

  /** A copy of the slots of one second; undefined where they are more than `most`. */
  slotsOf(second: number, most: number): number[] | undefined {
    const slots: number[] = [];
    for (let slot = this.headOf(second); slot !== NO_SLOT; slot = this.next.get(slot)) {
      if (slots.push(slot) > most) return undefined;
    }
    return slots;
  }

  /**
   * Visits at most `slice` slots of the seconds that have begun by `untilUs`, the oldest first; true when none is left.
   * `visit` must unlink every slot of a second that is wholly over. In the second that is not over yet, what is beyond
   * the slice waits for the second's end: else slots that are not due would use the slice up in each call.
   */
  visitUntil(
    untilUs: number,
    slice: number,
    visit: (slot: number, second: number, wholly: boolean) => void,
  ): boolean {
    for (let budget = slice; ;) {
      const second = this.oldestSecond();
      if (second * 1_000_000 > untilUs) return true;
      const wholly = (second + 1) * 1_000_000 <= untilUs;
      for (let slot = this.headOf(second); slot !== NO_SLOT;) {
        if (budget-- === 0) return !wholly;
        const next = this.next.get(slot);
        visit(slot, second, wholly);
        slot = next;
      }
      if (!wholly) return true;
    }
  }
}
