/**
 * The bearer tokens: which ones let a request in, and which ones to show to peers. They can be replaced while requests
 * come in, so that tokens rotate without a restart.
 */
import { createHash, timingSafeEqual } from 'node:crypto';

const CREDENTIALS = /^bearer +(\S+) *$/i;

export class AccessTokens {
  private tokens: readonly string[] = [];
  private digests: readonly Buffer[] = [];
  private lastAccepted = '';

  /** `peerToken` is what peers are shown first, and is accepted too; undefined: the first of the others. */
  constructor(
    tokens: readonly string[],
    private readonly peerToken: string | undefined,
  ) {
    this.replace(tokens);
  }

  replace(tokens: readonly string[]): void {
    const own = this.peerToken === undefined ? [] : [this.peerToken];
    this.tokens = [...new Set([...own, ...tokens])];
    this.digests = this.tokens.map(digestOf);
    this.lastAccepted = '';
  }

  /** What to show to a peer, one after the other until it accepts one: its own list may be older or newer. */
  get forPeers(): readonly string[] {
    return this.tokens;
  }

  /**
   * Whether the `Authorization` header holds a valid token. How long that takes tells nothing about a valid one: digests
   * of equal length are compared, with all tokens every time.
   *
   * The header accepted last is remembered, because hashing is the dearest part of a request. Comparing with it is no
   * way around the above: `equalInConstantTime` goes through all of what the caller sent whatever it finds. All
   * that the shorter way gives away is that the token was accepted, which the answer says anyway.
   */
  accepts(authorization: string | undefined): boolean {
    if (authorization === undefined) return false;
    if (equalInConstantTime(authorization, this.lastAccepted)) return true;
    const token = CREDENTIALS.exec(authorization)?.[1];
    if (token === undefined) return false;
    const digest = digestOf(token);
    let matches = 0;
    for (const valid of this.digests) matches += timingSafeEqual(valid, digest) ? 1 : 0;
    if (matches > 0) this.lastAccepted = authorization;
    return matches > 0;
  }
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/** As many steps as `sent` has characters, whatever `secret` is; false for an empty secret. */
function equalInConstantTime(sent: string, secret: string): boolean {
  let difference = sent.length ^ secret.length;
  if (secret.length === 0) return false;
  for (let i = 0, j = 0; i < sent.length; i++) {
    difference |= sent.charCodeAt(i) ^ secret.charCodeAt(j);
    if (++j === secret.length) j = 0;
  }
  return difference === 0;
}
