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

/** 16 hexadecimal digits each. */
export function toHex(hashes: PrefixHashes): string[] {
  return Array.from(
    { length: hashes.length / 2 },
    (_, i) => digits(hashes[2 * i]!) + digits(hashes[2 * i + 1]!),
  );
}

/** Undefined where one of them is not 16 lower-case hexadecimal digits. */
export function fromHex(texts: readonly unknown[]): PrefixHashes | undefined {
  const hashes = new Int32Array(2 * texts.length);
  for (let i = 0; i < texts.length; i++) {
    const text = texts[i];
    if (typeof text !== 'string' || !/^[0-9a-f]{16}$/.test(text)) return undefined;
    hashes[2 * i] = Number.parseInt(text.slice(0, 8), 16) | 0;
    hashes[2 * i + 1] = Number.parseInt(text.slice(8), 16) | 0;
  }
  return hashes;
}

function digits(half: number): string {
  return (half >>> 0).toString(16).padStart(8, '0');
}
