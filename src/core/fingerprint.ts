/**
 * 128 bits that stand for a text: for a request id wherever it is looked up, remembered as finished, exchanged between
 * replicas or part of a digest, and for the names of rows and origins in digests.
 *
 * Ids come from end users. So the bits are those of a cryptographic hash, which the core is given: two texts with the
 * same ones are not to be found, by nobody (some 2^64 tries). All replicas must be given the same hash; another one is
 * a change of the snapshot format.
 *
 * Who knows the hash can still make texts that agree in some of the bits. Therefore the place in a table comes from
 * random numbers of this process alone (simple tabulation, by which linear probing takes a constant expected number of
 * steps whatever the keys: Pătraşcu, Thorup: "The Power of Simple Tabulation Hashing", 2012).
 */

/** What the core is given to make fingerprints with. */
export interface Fingerprinting {
  /** A cryptographic hash of the text as UTF-8, at least 16 bytes, as one Latin-1 character a byte. */
  readonly hash: (text: string) => string;
  /** `PLACE_NUMBERS` random 32-bit numbers that nobody outside of this process knows. */
  readonly places: Int32Array;
}

const BYTES_OF_A_PLACE = 8;
export const PLACE_NUMBERS = BYTES_OF_A_PLACE * 256;

/** The fingerprint that was made or set last: it is made anew in place, so that it costs no garbage. */
export class Fingerprint {
  w0 = 0;
  w1 = 0;
  w2 = 0;
  w3 = 0;
  /** Where tables begin to look for it, 32 bits: another one in each process. */
  place = 0;
  private text: string | undefined;

  constructor(private readonly by: Fingerprinting) {}

  of(text: string): this {
    // A report is looked up before it is applied, so the same id comes twice in a row.
    if (text === this.text) return this;
    const bytes = this.by.hash(text);
    this.set(wordAt(bytes, 0), wordAt(bytes, 4), wordAt(bytes, 8), wordAt(bytes, 12));
    this.text = text;
    return this;
  }

  /** Takes four signed 32-bit words. */
  set(w0: number, w1: number, w2: number, w3: number): this {
    this.load(w0, w1, w2, w3, placeOf(this.by.places, w0, w1));
    return this;
  }

  /** Takes words whose place is known. */
  load(w0: number, w1: number, w2: number, w3: number, place: number): void {
    this.text = undefined;
    this.w0 = w0;
    this.w1 = w1;
    this.w2 = w2;
    this.w3 = w3;
    this.place = place;
  }
}

function wordAt(bytes: string, i: number): number {
  return (
    bytes.charCodeAt(i) |
    (bytes.charCodeAt(i + 1) << 8) |
    (bytes.charCodeAt(i + 2) << 16) |
    (bytes.charCodeAt(i + 3) << 24)
  );
}

/** From 64 of the bits: texts that agree in all of those are so dear that none is worth making. */
function placeOf(places: Int32Array, w0: number, w1: number): number {
  return (
    places[w0 & 255]! ^
    places[256 + ((w0 >>> 8) & 255)]! ^
    places[512 + ((w0 >>> 16) & 255)]! ^
    places[768 + (w0 >>> 24)]! ^
    places[1024 + (w1 & 255)]! ^
    places[1280 + ((w1 >>> 8) & 255)]! ^
    places[1536 + ((w1 >>> 16) & 255)]! ^
    places[1792 + (w1 >>> 24)]!
  );
}
