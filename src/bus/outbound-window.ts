/**
 * Bounds what has been published but has not reached the server. On a stalled link the client would buffer
 * without end; this asks for a sign of life every so many bytes and admits no more than the window beyond the last
 * one.
 */
export class OutboundWindow {
  private sent = 0;
  private acknowledged = 0;
  private asking = false;

  /** `flush` resolves when the server has received everything that was published before. */
  constructor(
    private readonly flush: () => Promise<void>,
    private readonly windowBytes: number,
    private readonly onUnconfirmed: (error: unknown) => void,
  ) {}

  /** Whether so many bytes more may be published now; they count from then on. */
  admit(bytes: number): boolean {
    if (this.sent - this.acknowledged + bytes > this.windowBytes) return false;
    this.sent += bytes;
    return true;
  }

  /** Everything admitted so far has been given to the connection. */
  written(): void {
    if (this.asking || this.sent - this.acknowledged <= this.windowBytes / 32) return;
    this.asking = true;
    const mark = this.sent;
    this.flush().then(
      () => {
        this.acknowledged = mark;
        this.asking = false;
      },
      // The connection is going down; its window with it.
      this.onUnconfirmed,
    );
  }
}
