/**
 * Slot numbers by 64-bit hash: what a Map would be if 4 bytes had to do for an entry.
 *
 * A slot is a small integer under which the owner keeps columns of its own. The index is split into 256 open
 * addressing tables (linear probing, backward-shift deletion: Knuth, TAOCP 3, 6.4, algorithm R), so that growth
 * rehashes at most 1/256 of the entries at a time and no call takes longer than a fraction of a millisecond,
 * however many entries there are.
 */

export const NO_SLOT = -1;

const CHUNK_BITS = 14;
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
  private readonly hi = int32Column();
  private readonly lo = int32Column();
  /** Free slots form a list through the `lo` column. */
  private firstFree = NO_SLOT;
  private limit = 0;
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
  get slotLimit(): number {
    return this.limit;
  }

  hiOf(slot: number): number {
    return this.hi.get(slot);
  }

  loOf(slot: number): number {
    return this.lo.get(slot);
  }

  find(hi: number, lo: number): number {
    const table = this.tables[hi >>> 24]!;
    const mask = table.length - 1;
    for (let cell = lo & mask; ; cell = (cell + 1) & mask) {
      const slot = table[cell]! - 1;
      if (slot === NO_SLOT) return NO_SLOT;
      if (this.lo.get(slot) === lo && this.hi.get(slot) === hi) return slot;
    }
  }

  /** Takes a slot for a hash that has none yet. */
  insert(hi: number, lo: number): number {
    let slot = this.firstFree;
    if (slot === NO_SLOT) {
      slot = this.limit++;
      this.hi.ensure(slot);
      this.lo.ensure(slot);
    } else {
      this.firstFree = this.lo.get(slot);
    }
    this.hi.set(slot, hi);
    this.lo.set(slot, lo);
    this.used++;
    const t = hi >>> 24;
    const inTable = ++this.tableUsed[t]!;
    if (inTable * 4 > this.tables[t]!.length * 3) this.grow(t);
    place(this.tables[t]!, lo, slot);
    return slot;
  }

  remove(slot: number): void {
    const lo = this.lo.get(slot);
    const t = this.hi.get(slot) >>> 24;
    const table = this.tables[t]!;
    const mask = table.length - 1;
    let cell = lo & mask;
    while (table[cell] !== slot + 1) cell = (cell + 1) & mask;
    for (let next = (cell + 1) & mask; table[next] !== 0; next = (next + 1) & mask) {
      const home = this.lo.get(table[next]! - 1) & mask;
      if (((next - home) & mask) >= ((next - cell) & mask)) {
        table[cell] = table[next]!;
        cell = next;
      }
    }
    table[cell] = 0;
    this.tableUsed[t]!--;
    this.used--;
    this.lo.set(slot, this.firstFree);
    this.firstFree = slot;
  }

  private grow(t: number): void {
    const old = this.tables[t]!;
    const larger = new Int32Array(old.length * 2);
    for (const cell of old) {
      if (cell !== 0) place(larger, this.lo.get(cell - 1), cell - 1);
    }
    this.tables[t] = larger;
  }
}

function place(table: Int32Array, lo: number, slot: number): void {
  const mask = table.length - 1;
  let cell = lo & mask;
  while (table[cell] !== 0) cell = (cell + 1) & mask;
  table[cell] = slot + 1;
}
