/** Hashes of a prompt's prefixes as they are kept and looked up: two 32-bit halves each, one behind the other. */
export type PrefixHashes = Int32Array;

export function prefixHashesOf(values: readonly bigint[]): PrefixHashes {
  const hashes = new Int32Array(2 * values.length);
  const view = new DataView(new ArrayBuffer(8));
  for (let i = 0; i < values.length; i++) {
    view.setBigUint64(0, values[i]!);
    hashes[2 * i] = view.getInt32(0);
    hashes[2 * i + 1] = view.getInt32(4);
  }
  return hashes;
}
