/**
 * Digests of the state per second of event time: a count and the xor of the items' 64-bit hashes.
 *
 * An item is an uncovered add, a remembered delete time or a remembered prompt-delete time that a later delete has
 * not made void: exactly what is a function of the set of events. Adding and removing an item is the same xor, so
 * the digest follows the state at O(1) a change, and two replicas find the seconds in which they differ by
 * comparing a few hundred small numbers.
 */
import { mix32 } from './request-hash';
import { secondOf } from './second-lists';

export interface SecondDigest {
  readonly second: number;
  readonly count: number;
  readonly hi: number;
  readonly lo: number;
}

/** What kind of item a digest covers; part of its hash. */
export const ADD_ITEM = 1;
export const PROMPT_DELETE_ITEM = 2;
export const DELETE_ITEM = 3;
export type ItemKind = typeof ADD_ITEM | typeof PROMPT_DELETE_ITEM | typeof DELETE_ITEM;

interface Cell {
  count: number;
  hi: number;
  lo: number;
}

export class StateDigest {
  private readonly seconds = new Map<number, Cell>();
  private lastSecond = NaN;
  private lastCell: Cell = { count: 0, hi: 0, lo: 0 };

  /**
   * Adds (`change` 1) or removes (-1) the item of the request hash `(hi, lo)` at `timeUs`.
   * `content` distinguishes adds that differ in more than id and time.
   */
  change(hi: number, lo: number, kind: ItemKind, timeUs: number, content: number, change: 1 | -1): void {
    const second = secondOf(timeUs);
    const micros = timeUs - second * 1_000_000;
    const cell = second === this.lastSecond ? this.lastCell : this.cellOf(second);
    const salt =
      Math.imul(micros, 0x9e3779b1) ^ Math.imul(second, 0x85ebca77) ^ Math.imul(content + kind, 0xc2b2ae3d);
    cell.hi ^= mix32(hi ^ salt);
    cell.lo ^= mix32(lo ^ Math.imul(salt, 0x27d4eb2f) ^ hi);
    cell.count += change;
    if (cell.count === 0) {
      this.seconds.delete(second);
      this.lastSecond = NaN;
    }
  }

  private cellOf(second: number): Cell {
    let cell = this.seconds.get(second);
    if (!cell) {
      cell = { count: 0, hi: 0, lo: 0 };
      this.seconds.set(second, cell);
    }
    this.lastSecond = second;
    this.lastCell = cell;
    return cell;
  }

  /** The digests of all seconds from `fromSecond` on, in no order. */
  since(fromSecond: number): SecondDigest[] {
    const digests: SecondDigest[] = [];
    for (const [second, cell] of this.seconds) {
      if (second >= fromSecond) digests.push({ second, count: cell.count, hi: cell.hi, lo: cell.lo });
    }
    return digests;
  }
}
