/**
 * A set of sequence numbers as ascending, disjoint, non-adjacent closed intervals `[from, to, from, to, …]`.
 *
 * An origin's seqs come almost always in order, so the last interval is tried first and the set is nearly always
 * one interval; a jump of any width costs one interval.
 */
/** So few intervals are put in one by one: what comes in order touches the last interval only. */
const FEW_BOUNDS = 8;

export class SeqSet {
  private bounds: number[];

  constructor(bounds: readonly number[] = []) {
    this.bounds = [...bounds];
  }

  /** Of bounds that are nobody else's. */
  private static of(bounds: number[]): SeqSet {
    const set = new SeqSet();
    set.bounds = bounds;
    return set;
  }

  get intervalCount(): number {
    return this.bounds.length / 2;
  }

  /** The lowest seq in the set, or 0. */
  get first(): number {
    return this.bounds[0] ?? 0;
  }

  /** The highest seq in the set, or 0. */
  get last(): number {
    return this.bounds.at(-1) ?? 0;
  }

  toJSON(): readonly number[] {
    return this.bounds;
  }

  has(seq: number): boolean {
    const i = this.firstEndingAtOrAfter(seq);
    return i < this.bounds.length && this.bounds[i]! <= seq;
  }

  /** True when `seq` was not in the set before. */
  add(seq: number): boolean {
    const { bounds } = this;
    if (bounds.length > 0 && bounds[bounds.length - 1] === seq - 1) {
      bounds[bounds.length - 1] = seq;
      return true;
    }
    if (this.has(seq)) return false;
    this.addRange(seq, seq);
    return true;
  }

  addRange(from: number, to: number): void {
    const { bounds } = this;
    let start = this.firstEndingAtOrAfter(from - 1);
    let end = start;
    let low = from;
    let high = to;
    while (end < bounds.length && bounds[end]! <= to + 1) {
      low = Math.min(low, bounds[end]!);
      high = Math.max(high, bounds[end + 1]!);
      end += 2;
    }
    if (start > bounds.length) start = bounds.length;
    bounds.splice(start, end - start, low, high);
  }

  addAll(other: SeqSet): void {
    if (other.bounds.length <= FEW_BOUNDS) {
      for (let i = 0; i < other.bounds.length; i += 2) this.addRange(other.bounds[i]!, other.bounds[i + 1]!);
    } else {
      this.bounds = merged(this.bounds, other.bounds);
    }
  }

  /** The gaps of this set within `[from, to]`, as a set. */
  gaps(from: number, to: number): SeqSet {
    const gaps: number[] = [];
    let next = from;
    for (let i = this.firstEndingAtOrAfter(from); i < this.bounds.length && this.bounds[i]! <= to; i += 2) {
      if (this.bounds[i]! > next) gaps.push(next, this.bounds[i]! - 1);
      next = this.bounds[i + 1]! + 1;
    }
    if (next <= to) gaps.push(next, to);
    return SeqSet.of(gaps);
  }

  /** Members of this set that are not in `other`. */
  minus(other: SeqSet): SeqSet {
    const left: number[] = [];
    const theirs = other.bounds;
    let j = 0;
    for (let i = 0; i < this.bounds.length; i += 2) {
      let from = this.bounds[i]!;
      const to = this.bounds[i + 1]!;
      while (j < theirs.length && theirs[j + 1]! < from) j += 2;
      // The last one of these may reach into the next interval.
      for (let k = j; k < theirs.length && theirs[k]! <= to; k += 2) {
        if (theirs[k]! > from) left.push(from, theirs[k]! - 1);
        from = theirs[k + 1]! + 1;
        j = k;
      }
      if (from <= to) left.push(from, to);
    }
    return SeqSet.of(left);
  }

  intersect(other: SeqSet): SeqSet {
    const both: number[] = [];
    const [ours, theirs] = [this.bounds, other.bounds];
    for (let i = 0, j = 0; i < ours.length && j < theirs.length;) {
      const from = Math.max(ours[i]!, theirs[j]!);
      const to = Math.min(ours[i + 1]!, theirs[j + 1]!);
      if (from <= to) both.push(from, to);
      if (ours[i + 1]! < theirs[j + 1]!) i += 2;
      else j += 2;
    }
    return SeqSet.of(both);
  }

  /** How many seqs the set holds. */
  get count(): number {
    let count = 0;
    for (let i = 0; i < this.bounds.length; i += 2) count += this.bounds[i + 1]! - this.bounds[i]! + 1;
    return count;
  }

  /** Removes the lowest intervals until at most `most` are left; returns the highest seq removed, or 0. */
  dropLowest(most: number): number {
    const surplus = this.intervalCount - most;
    return surplus > 0 ? this.bounds.splice(0, surplus * 2).at(-1)! : 0;
  }

  /** Index of the first interval whose end is at or after `seq`. */
  private firstEndingAtOrAfter(seq: number): number {
    let low = 0;
    let high = this.bounds.length / 2;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.bounds[middle * 2 + 1]! < seq) low = middle + 1;
      else high = middle;
    }
    return low * 2;
  }
}

/** The union of two sets, in one pass over both. */
function merged(a: readonly number[], b: readonly number[]): number[] {
  const all: number[] = [];
  for (let i = 0, j = 0; i < a.length || j < b.length;) {
    const first = j >= b.length || (i < a.length && a[i]! <= b[j]!);
    const [from, to] = first ? [a[i]!, a[i + 1]!] : [b[j]!, b[j + 1]!];
    if (first) i += 2;
    else j += 2;
    const last = all.length - 1;
    if (last > 0 && from <= all[last]! + 1) all[last] = Math.max(all[last]!, to);
    else all.push(from, to);
  }
  return all;
}
