/**
 * The one fixed 64-bit hash of request ids, as two signed 32-bit halves.
 *
 * Finished ids are remembered, and exchanged between replicas, by this hash alone, so every replica of every
 * version must compute the same one: changing it is a change of the snapshot format. Two multiply-rotate lanes
 * over the UTF-16 code units, closed by the 32-bit finaliser of MurmurHash3 (Austin Appleby, public domain).
 * Not keyed: ids are made by gateways, which are trusted not to search for collisions.
 */

export function mix32(value: number): number {
  let h = value ^ (value >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** Holds the halves of the last hash computed, so that hashing allocates nothing. */
export class RequestHash {
  hi = 0;
  lo = 0;
  private text = '';

  of(text: string): this {
    // A report is looked up before it is applied, so the same id comes twice in a row.
    if (text === this.text && text !== '') return this;
    this.text = text;
    let a = 0x9e3779b9 ^ text.length;
    let b = 0x7f4a7c15 ^ text.length;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      a = Math.imul(a ^ unit, 0x85ebca77);
      a = (a << 13) | (a >>> 19);
      b = Math.imul(b ^ unit, 0x27d4eb2f);
      b = (b << 17) | (b >>> 15);
    }
    this.hi = mix32(a ^ Math.imul(b, 0x165667b1));
    // From the other half, not from `a`: so that the lanes can be told from the halves, and no bit of them is lost.
    this.lo = mix32(b ^ Math.imul(this.hi, 0x9e3779b1));
    return this;
  }
}
