/**
 * Digests of the state per second of event time: a count, and the sum of the items' 128-bit hashes.
 *
 * An item is an uncovered add, a remembered delete time or a remembered prompt-delete time that a later delete has
 * not made void: exactly what is a function of the set of events. Adding and removing an item is a sum, so the digest
 * follows the state at O(1) a change, and two replicas find the seconds in which they differ by comparing a few hundred
 * small numbers.
 *
 * No choice of ids, clusters or engines makes two states alike: names come in as fingerprints, whole, and the times of
 * reports and the names of origins are none of the reporter's. Who forges events has all of these in hand, and can look
 * for sets of thousands of them with equal sums (Wagner: "A Generalized Birthday Problem", 2002); it gains nothing by it
 * unless one replica alone misses one of these sets and still believes that it has it.
 */
import { mix32 } from './mix32';
import type { Fingerprint } from './fingerprint';
import { secondOf } from './second-lists';

/** As replicas show it to each other: `hi` and `lo` are 53 bits each, of the sum's upper and lower 64. */
export type SecondDigest = readonly [second: number, count: number, hi: number, lo: number];

/** What kind of item a digest covers; part of its hash. */
export const ADD_ITEM = 1;
export const PROMPT_DELETE_ITEM = 2;
export const DELETE_ITEM = 3;
/** Of owners, which have a digest of their own. */
export const LEASE_ITEM = 1;
export const GONE_ITEM = 2;
export type ItemKind = typeof ADD_ITEM | typeof PROMPT_DELETE_ITEM | typeof DELETE_ITEM;

/** The fingerprint of a name that many items have in common. */
export class DigestedName {
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;

  constructor({ w0, w1, w2, w3 }: Fingerprint) {
    this.w0 = w0;
    this.w1 = w1;
    this.w2 = w2;
    this.w3 = w3;
  }
}

/** What distinguishes adds of one id and time. */
export interface DigestedContent {
  readonly origin: { readonly digested: DigestedName };
  readonly row: { readonly digested: DigestedName };
  readonly promptLength: number;
}

class Cell {
  count = 0;
  w0 = 0;
  w1 = 0;
  w2 = 0;
  w3 = 0;
}

export class StateDigest {
  private readonly seconds = new Map<number, Cell>();
  private lastSecond = NaN;
  private lastCell = new Cell();

  add(id: Fingerprint, kind: ItemKind, timeUs: number, content?: DigestedContent): void {
    this.change(id, kind, timeUs, content, 1);
  }

  remove(id: Fingerprint, kind: ItemKind, timeUs: number, content?: DigestedContent): void {
    this.change(id, kind, timeUs, content, -1);
  }

  private change(
    id: Fingerprint,
    kind: ItemKind,
    timeUs: number,
    content: DigestedContent | undefined,
    sign: 1 | -1,
  ): void {
    const second = secondOf(timeUs);
    const micros = timeUs - second * 1_000_000;
    const cell = second === this.lastSecond ? this.lastCell : this.cellOf(second);
    // Below 2^22, so that times of one second, and kinds, differ in each word.
    const when = (micros << 2) | kind;
    let w0 = id.w0 ^ Math.imul(when, 0x9e3779b1) ^ Math.imul(second, 0x85ebca77);
    let w1 = id.w1 ^ Math.imul(when, 0xc2b2ae3d) ^ Math.imul(second, 0x27d4eb2f);
    let w2 = id.w2 ^ Math.imul(when, 0x165667b1) ^ Math.imul(second, 0x9e3779b1);
    let w3 = id.w3 ^ Math.imul(when, 0x85ebca77) ^ Math.imul(second, 0xc2b2ae3d);
    if (content) {
      const { origin, row, promptLength } = content;
      const [by, at] = [origin.digested, row.digested];
      w0 = mix32(w0 ^ by.w0 ^ Math.imul(promptLength, 0x27d4eb2f)) ^ at.w0;
      w1 = mix32(w1 ^ by.w1 ^ Math.imul(promptLength, 0x165667b1)) ^ at.w1;
      w2 = mix32(w2 ^ by.w2 ^ Math.imul(promptLength, 0x85ebca77)) ^ at.w2;
      w3 = mix32(w3 ^ by.w3 ^ Math.imul(promptLength, 0x9e3779b1)) ^ at.w3;
    }
    cell.w0 = (cell.w0 + Math.imul(sign, mix32(w0))) | 0;
    cell.w1 = (cell.w1 + Math.imul(sign, mix32(w1))) | 0;
    cell.w2 = (cell.w2 + Math.imul(sign, mix32(w2))) | 0;
    cell.w3 = (cell.w3 + Math.imul(sign, mix32(w3))) | 0;
    cell.count += sign;
    if (cell.count === 0) {
      this.seconds.delete(second);
      this.lastSecond = NaN;
    }
  }

  private cellOf(second: number): Cell {
    let cell = this.seconds.get(second);
    if (!cell) {
      cell = new Cell();
      this.seconds.set(second, cell);
    }
    this.lastSecond = second;
    this.lastCell = cell;
    return cell;
  }

  /** The digests of all seconds from `fromSecond` on, in no order. */
  since(fromSecond: number): SecondDigest[] {
    const digests: SecondDigest[] = [];
    for (const [second, { count, w0, w1, w2, w3 }] of this.seconds) {
      if (second >= fromSecond) digests.push([second, count, joined(w0, w1), joined(w2, w3)]);
    }
    return digests;
  }
}

/** The upper 53 of 64 bits: what a number of JSON holds exactly. */
function joined(high: number, low: number): number {
  return (high >>> 0) * 2 ** 21 + (low >>> 11);
}
