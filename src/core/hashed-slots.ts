/**
 * Slot numbers by fingerprint: what a Map would be if 24 bytes had to do for an entry, 4 of them in its index.
 *
 * A slot is a small integer under which the owner keeps columns of its own. The index is split into 256 open
 * addressing tables (linear probing, backward-shift deletion: Knuth, TAOCP 3, 6.4, algorithm R), so that growth
 * moves at most 1/256 of the entries at a time and no call takes longer than a fraction of a millisecond,
 * however many entries there are, and whatever they are: places are random to the outside.
 */
import type { Fingerprint } from './fingerprint';

export const NO_SLOT = -1;

const CHUNK_BITS = 11;
const CHUNK_SIZE = 1 << CHUNK_BITS;
const CHUNK_MASK = CHUNK_SIZE - 1;
const TABLE_COUNT = 256;
const FIRST_TABLE_SIZE = 16;

/** A growable column of numbers: grows by whole chunks, so that nothing is ever copied. */
export class Column<A extends Int32Array | Float64Array> {
  private readonly chunks: A[] = [];
  constructor(private readonly makeChunk: (size: number) => A) {}

  get(slot: number): number {
    return this.chunks[slot >> CHUNK_BITS]![slot & CHUNK_MASK]!;
  }

  set(slot: number, value: number): void {
    this.chunks[slot >> CHUNK_BITS]![slot & CHUNK_MASK] = value;
  }

  ensure(slot: number): void {
    if (slot >> CHUNK_BITS >= this.chunks.length) this.chunks.push(this.makeChunk(CHUNK_SIZE));
  }
}

export const int32Column = (): Column<Int32Array> => new Column((size) => new Int32Array(size));
export const float64Column = (): Column<Float64Array> => new Column((size) => new Float64Array(size));

export class HashedSlots {
  /** Four words a slot, side by side. */
  private readonly words = int32Column();
  /** Of free slots: the next one that is free. */
  private readonly places = int32Column();
  private firstFree = NO_SLOT;
  private end = 0;
  private used = 0;
  /** Each cell holds slot + 1, or 0 when empty. */
  private readonly tables: Int32Array[] = [];
  private readonly tableUsed = new Int32Array(TABLE_COUNT);

  constructor() {
    for (let i = 0; i < TABLE_COUNT; i++) this.tables.push(new Int32Array(FIRST_TABLE_SIZE));
  }

  get size(): number {
    return this.used;
  }

  /** Every slot ever given out is below this: the bound of a walk over all slots. */
  get slotEnd(): number {
    return this.end;
  }

  /** The fingerprint of a slot, put into `into`. */
  read(slot: number, into: Fingerprint): Fingerprint {
    const { words } = this;
    const at = 4 * slot;
    into.load(words.get(at), words.get(at + 1), words.get(at + 2), words.get(at + 3), this.places.get(slot));
    return into;
  }

  find(id: Fingerprint): number {
    const { place } = id;
    const table = this.tables[place >>> 24]!;
    const mask = table.length - 1;
    for (let cell = place & mask; ; cell = (cell + 1) & mask) {
      const slot = table[cell]! - 1;
      if (slot === NO_SLOT) return NO_SLOT;
      if (this.places.get(slot) === place && this.holds(slot, id)) return slot;
    }
  }

  private holds(slot: number, { w0, w1, w2, w3 }: Fingerprint): boolean {
    const { words } = this;
    const at = 4 * slot;
    return (
      words.get(at) === w0 && words.get(at + 1) === w1 && words.get(at + 2) === w2 && words.get(at + 3) === w3
    );
  }

  /** Takes a slot for a fingerprint that has none yet. */
  insert({ w0, w1, w2, w3, place }: Fingerprint): number {
    let slot = this.firstFree;
    if (slot === NO_SLOT) {
      slot = this.end++;
      this.words.ensure(4 * slot);
      this.places.ensure(slot);
    } else {
      this.firstFree = this.places.get(slot);
    }
    const { words } = this;
    const at = 4 * slot;
    words.set(at, w0);
    words.set(at + 1, w1);
    words.set(at + 2, w2);
    words.set(at + 3, w3);
    this.places.set(slot, place);
    this.used++;
    const t = place >>> 24;
    const inTable = ++this.tableUsed[t]!;
    if (inTable * 4 > this.tables[t]!.length * 3) this.grow(t);
    put(this.tables[t]!, place, slot);
    return slot;
  }

  remove(slot: number): void {
    const place = this.places.get(slot);
    const t = place >>> 24;
    const table = this.tables[t]!;
    const mask = table.length - 1;
    let cell = place & mask;
    while (table[cell] !== slot + 1) cell = (cell + 1) & mask;
    for (let next = (cell + 1) & mask; table[next] !== 0; next = (next + 1) & mask) {
      const home = this.places.get(table[next]! - 1) & mask;
      if (((next - home) & mask) >= ((next - cell) & mask)) {
        table[cell] = table[next]!;
        cell = next;
      }
    }
    table[cell] = 0;
    this.tableUsed[t]!--;
    this.used--;
    this.places.set(slot, this.firstFree);
    this.firstFree = slot;
  }

  private grow(t: number): void {
    const old = this.tables[t]!;
    const larger = new Int32Array(old.length * 2);
    for (const cell of old) {
      if (cell !== 0) put(larger, this.places.get(cell - 1), cell - 1);
    }
    this.tables[t] = larger;
  }
}

function put(table: Int32Array, place: number, slot: number): void {
  const mask = table.length - 1;
  let cell = place & mask;
  while (table[cell] !== 0) cell = (cell + 1) & mask;
  table[cell] = slot + 1;
}
