/** SHA-256, and random numbers of this process, for the fingerprints of the core. */
import { createHash, getRandomValues, hash } from 'node:crypto';
import type { Fingerprinting } from '../core/fingerprint';
import { PLACE_NUMBERS } from '../core/fingerprint';

/** Node.js before 20.12 has no one-shot hash, which takes a third of the time. */
const sha256: (text: string) => string =
  typeof (hash as unknown) === 'function'
    ? (text) => hash('sha256', text, 'binary')
    : (text) => createHash('sha256').update(text, 'utf8').digest('binary');

export function newFingerprinting(): Fingerprinting {
  return { hash: sha256, places: getRandomValues(new Int32Array(PLACE_NUMBERS)) };
}
