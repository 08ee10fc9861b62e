/**
 * Hashes as events and transfers carry them: 16 lower-case hexadecimal digits each. All of a list are converted in one piece; one by one
 * they would take most of the time of an event.
 */
import type { PrefixHashes } from './prefix-hashes';

const DIGITS = 16;
const BYTES_PER_HALF = 4;

export function toHex(hashes: PrefixHashes): string[] {
  const bytes = Buffer.allocUnsafe(BYTES_PER_HALF * hashes.length);
  for (let at = 0; at < hashes.length; at++) bytes.writeInt32BE(hashes[at]!, BYTES_PER_HALF * at);
  const digits = bytes.toString('hex');
  const texts: string[] = [];
  for (let at = 0; at < digits.length; at += DIGITS) texts.push(digits.slice(at, at + DIGITS));
  return texts;
}

/** Undefined where one of them is no hash. */
export function fromHex(texts: readonly unknown[]): PrefixHashes | undefined {
  for (const text of texts) if (typeof text !== 'string' || text.length !== DIGITS) return undefined;
  const digits = texts.join('');
  if (!/^[0-9a-f]*$/.test(digits)) return undefined;
  const bytes = Buffer.from(digits, 'hex');
  const hashes = new Int32Array(2 * texts.length);
  for (let at = 0; at < hashes.length; at++) hashes[at] = bytes.readInt32BE(BYTES_PER_HALF * at);
  return hashes;
}
