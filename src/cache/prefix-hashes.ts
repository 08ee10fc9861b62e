/** Hashes of a prompt's prefixes as they are kept and looked up: two 32-bit halves each, one behind the other. */
export type PrefixHashes = Int32Array;

export function prefixHashesOf(values: readonly bigint[]): PrefixHashes {
  const hashes = new Int32Array(2 * values.length);
  values.forEach((value, i) => {
    hashes[2 * i] = Number(value >> 32n) | 0;
    hashes[2 * i + 1] = Number(value & 0xffffffffn) | 0;
  });
  return hashes;
}
