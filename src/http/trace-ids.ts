/**
 * The id that ties an answer to the caller's own trace: the caller's, when it sends one that is safe to log and to
 * send back in a header, else a new one.
 */

export const MAX_TRACE_ID_LENGTH = 256;
const ACCEPTABLE = new RegExp(`^[\\x20-\\x7e]{1,${MAX_TRACE_ID_LENGTH}}$`);
const ID_BYTES = 16;
const POOL_BYTES = 256 * ID_BYTES;

export class TraceIds {
  private pool = '';
  private used = 0;

  constructor(private readonly randomBytes: (size: number) => Buffer) {}

  /** `sent` is the value of the request's `TraceId` header; the gateway in use often sends it empty. */
  accept(sent: string | readonly string[] | undefined): string {
    return typeof sent === 'string' && ACCEPTABLE.test(sent) ? sent : this.next();
  }

  /** 32 hexadecimal digits. Random bytes are drawn for many ids at once: one draw costs more than the rest of an id. */
  next(): string {
    if (this.used === this.pool.length) {
      this.pool = this.randomBytes(POOL_BYTES).toString('hex');
      this.used = 0;
    }
    const start = this.used;
    this.used += 2 * ID_BYTES;
    return this.pool.slice(start, this.used);
  }
}
