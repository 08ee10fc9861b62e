/**
 * What changed in a list of rows since any earlier look at it. Pure, and kept once for all who watch the list: each
 * of them only remembers the version that it has, so a reader that fell behind costs nothing but a longer diff.
 */

/** Where rows come from. Rows are compared by their JSON, which the rows themselves keep until they change. */
export interface RowSource<Row> {
  /** False only when nothing has changed since the last call. */
  changed(): boolean;
  rows(): Iterable<Row>;
  keyOf(row: Row): string;
  jsonOf(row: Row): string;
}

interface Entry {
  json: string;
  version: number;
  seenAt: number;
}

export interface Difference {
  /** Whether `rows` is the whole list, because it is not known any more what left it meanwhile. */
  readonly whole: boolean;
  /** JSON of each row, in the order of the list. */
  readonly rows: readonly string[];
  /** Keys of the rows that left the list. */
  readonly removed: readonly string[];
}

export class RowDiff<Row> {
  private readonly entries = new Map<string, Entry>();
  private inOrder: Entry[] = [];
  /** When each row left, the earliest first. */
  private readonly removals = new Map<string, number>();
  /** What left up to here is forgotten. */
  private forgottenUntil = 0;

  constructor(
    private readonly source: RowSource<Row>,
    private readonly mostRemovals = 10_000,
  ) {}

  /** Looks at the list again, and stamps with `version` what has changed; true if anything has. */
  update(version: number): boolean {
    if (!this.source.changed()) return false;
    const inOrder: Entry[] = [];
    let changed = false;
    for (const row of this.source.rows()) {
      const key = this.source.keyOf(row);
      const json = this.source.jsonOf(row);
      let entry = this.entries.get(key);
      if (!entry) {
        entry = { json: '', version, seenAt: version };
        this.entries.set(key, entry);
        this.removals.delete(key);
      }
      if (entry.json !== json) {
        entry.json = json;
        entry.version = version;
        changed = true;
      }
      entry.seenAt = version;
      inOrder.push(entry);
    }
    this.inOrder = inOrder;
    if (this.entries.size > inOrder.length) {
      changed = true;
      this.removeUnseen(version);
    }
    return changed;
  }

  /** What a reader that has the list as of `version` must be told; 0 for one that has nothing. */
  since(version: number): Difference {
    if (version <= this.forgottenUntil) {
      return { whole: true, rows: this.inOrder.map((entry) => entry.json), removed: [] };
    }
    const rows: string[] = [];
    for (const entry of this.inOrder) if (entry.version > version) rows.push(entry.json);
    const removed: string[] = [];
    for (const [key, removedAt] of this.removals) if (removedAt > version) removed.push(key);
    return { whole: false, rows, removed };
  }

  private removeUnseen(version: number): void {
    for (const [key, entry] of this.entries) {
      if (entry.seenAt === version) continue;
      this.entries.delete(key);
      this.removals.set(key, version);
    }
    for (const [key, removedAt] of this.removals) {
      if (this.removals.size <= this.mostRemovals) break;
      this.removals.delete(key);
      this.forgottenUntil = removedAt;
    }
  }
}
