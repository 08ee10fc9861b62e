/** A subject that can be watched: looked at once per tick however many watch it, its messages made once and shared. */
import { eventOf } from './event-stream';
import { RowDiff } from './row-diff';
import type { RowSource } from './row-diff';

export interface Feed {
  /** Rises with every change; a watcher remembers the one that it was last sent. */
  readonly version: number;
  /** Looks for changes. */
  refresh(): void;
  /** The event that brings a watcher from `version` (0: from nothing) to the current one. */
  messageSince(version: number): Buffer;
}

/** Versions ascend over all feeds of a replica, so that an id never comes twice. */
export interface Versions {
  readonly prefix: string;
  next(): number;
}

/** Messages kept of one feed, each for the readers that are at the same version. */
const MAX_MESSAGES = 8;

/** Rows: `rows` is all of them, `changes` those that changed and the keys of those that left. */
export class RowFeed<Row> implements Feed {
  version: number;
  private readonly diff: RowDiff<Row>;
  /** Readers that keep up share one; each that fell behind needs its own. */
  private readonly messages = new Map<number, Buffer>();

  constructor(
    source: RowSource<Row>,
    private readonly versions: Versions,
    /** Members, each with a comma behind it, that come first in the data of each message. */
    private readonly head = '',
  ) {
    this.diff = new RowDiff(source);
    this.version = versions.next();
    this.diff.update(this.version);
  }

  refresh(): void {
    const next = this.versions.next();
    if (!this.diff.update(next)) return;
    this.version = next;
    this.messages.clear();
  }

  messageSince(version: number): Buffer {
    let message = this.messages.get(version);
    if (!message) {
      const { whole, rows, removed } = this.diff.since(version);
      const data = `{${this.head}"rows":[${rows.join()}],"removed":${JSON.stringify(removed)}}`;
      message = eventOf(whole ? 'rows' : 'changes', `${this.versions.prefix}:${this.version}`, data);
      if (this.messages.size < MAX_MESSAGES) this.messages.set(version, message);
    }
    return message;
  }
}

/** One object that is sent as a whole whenever it has changed. */
export class ObjectFeed implements Feed {
  version: number;
  private json: string;
  private message: Buffer | undefined;

  constructor(
    private readonly name: string,
    private readonly read: () => object,
    private readonly versions: Versions,
  ) {
    this.json = JSON.stringify(read());
    this.version = versions.next();
  }

  refresh(): void {
    const json = JSON.stringify(this.read());
    if (json === this.json) return;
    this.json = json;
    this.version = this.versions.next();
    this.message = undefined;
  }

  messageSince(): Buffer {
    this.message ??= eventOf(this.name, `${this.versions.prefix}:${this.version}`, this.json);
    return this.message;
  }
}

/** What is told once, at the beginning of a stream, as it then is. */
export class OnceFeed implements Feed {
  readonly version: number;

  constructor(
    private readonly name: string,
    private readonly read: () => object,
    private readonly versions: Versions,
  ) {
    this.version = versions.next();
  }

  refresh(): void {
    // What changes later is told by other feeds.
  }

  messageSince(): Buffer {
    return eventOf(this.name, `${this.versions.prefix}:${this.version}`, JSON.stringify(this.read()));
  }
}
