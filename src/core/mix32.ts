/** The last step of MurmurHash3 (Austin Appleby): 32 bits spread over 32 bits. It can be undone, so no two values have the same one. */
export function mix32(value: number): number {
  let h = value ^ (value >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}
