/**
 * One reader of a stream. What it has not taken yet is never added to: while its connection is full it is sent
 * nothing, and afterwards the difference between what it has and what is.
 */
import { keepAlive } from './event-stream';
import type { Feed } from './feed';

/** Where a watcher's bytes go. */
export interface Sink {
  /** False when the connection is full; the watcher's `drained` is to be called once it is not. */
  write(bytes: Buffer): boolean;
  /** Ends the stream; `cut` when the reader takes nothing, so that there is no use in waiting for it. */
  end(cut: boolean): void;
}

export class Watcher {
  private readonly versions: number[];
  /** Nothing may be written: until the connection has drained, or for ever once the stream has ended. */
  private full = false;
  private ended = false;
  private quiet = true;
  /** The feed whose turn is next, so that none is kept from its turn by others that change all the time. */
  private next = 0;

  constructor(
    private readonly feeds: readonly Feed[],
    private readonly sink: Sink,
  ) {
    this.versions = feeds.map(() => 0);
  }

  /** Sends what has changed since the last time, unless the connection is full. Answers how many events it sent. */
  tick(): number {
    let sent = 0;
    for (let turns = this.feeds.length; turns > 0 && !this.full; turns--) {
      const i = this.next;
      this.next = (i + 1) % this.feeds.length;
      const feed = this.feeds[i]!;
      if (feed.version === this.versions[i]) continue;
      this.send(feed.messageSince(this.versions[i]!));
      this.versions[i] = feed.version;
      sent++;
    }
    return sent;
  }

  /** To be called at the interval of signs of life: sends one if nothing else was sent since the last call. */
  beat(): void {
    if (this.quiet && !this.full) this.send(keepAlive);
    this.quiet = true;
  }

  send(bytes: Buffer): void {
    this.quiet = false;
    if (!this.sink.write(bytes)) this.full = true;
  }

  drained(): void {
    this.full = this.ended;
  }

  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.sink.end(this.full);
    this.full = true;
  }
}
