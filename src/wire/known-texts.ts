/**
 * Texts that come again and again: origins, clusters, addresses of engines. Each is checked and made into a string once;
 * after that its bytes give the same string, whose hash the engine has computed already. A text that falls on the
 * slot of another takes its place, so the memory is bounded.
 */
const SLOTS = 1_024;

export class KnownTexts {
  private readonly slots = new Array<string>(SLOTS).fill('');

  constructor(private readonly accepts: (text: string) => boolean) {}

  /** The ASCII text in `bytes` from `start` to before `end`; undefined where it is not accepted. */
  read(bytes: Buffer, start: number, end: number): string | undefined {
    let hash = 0;
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
    const slot = (hash ^ (hash >>> 16)) & (SLOTS - 1);
    const known = this.slots[slot]!;
    if (isWritten(known, bytes, start, end)) return known;
    const text = bytes.toString('latin1', start, end);
    if (!this.accepts(text)) return undefined;
    this.slots[slot] = text;
    return text;
  }
}

function isWritten(text: string, bytes: Buffer, start: number, end: number): boolean {
  if (text.length !== end - start || text === '') return false;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[start + i]) return false;
  return true;
}
