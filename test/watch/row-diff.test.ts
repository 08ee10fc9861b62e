/** The diff against a naive reader: whatever happened in between and however seldom it asks, it ends with the list. */
import fc from 'fast-check';
import { RowDiff, type RowSource } from '../../src/watch/row-diff';
import { runs } from '../support/size';

interface TestRow {
  readonly key: string;
  value: number;
}

class TestRows implements RowSource<TestRow> {
  list: TestRow[] = [];
  dirty = true;

  set(key: string, value: number): void {
    this.dirty = true;
    const row = this.list.find((each) => each.key === key);
    if (row) row.value = value;
    else this.list.push({ key, value });
    this.list.sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  remove(key: string): void {
    this.dirty = true;
    this.list = this.list.filter((row) => row.key !== key);
  }

  changed(): boolean {
    const { dirty } = this;
    this.dirty = false;
    return dirty;
  }

  rows(): TestRow[] {
    return this.list;
  }

  keyOf(row: TestRow): string {
    return row.key;
  }

  jsonOf(row: TestRow): string {
    return JSON.stringify(row);
  }
}

/** What a client does with the events. */
class Reader {
  version = 0;
  readonly rows = new Map<string, number>();

  take(diff: RowDiff<TestRow>, version: number): void {
    const { whole, rows, removed } = diff.since(this.version);
    if (whole) this.rows.clear();
    for (const key of removed) this.rows.delete(key);
    for (const row of rows.map((json) => JSON.parse(json) as TestRow)) this.rows.set(row.key, row.value);
    this.version = version;
  }

  get sorted(): TestRow[] {
    return [...this.rows].map(([key, value]) => ({ key, value })).sort((a, b) => (a.key < b.key ? -1 : 1));
  }
}

const step = fc.oneof(
  fc.record({ do: fc.constant('set'), key: fc.integer({ min: 0, max: 9 }), value: fc.nat(3) }),
  fc.record({ do: fc.constant('remove'), key: fc.integer({ min: 0, max: 9 }) }),
  fc.record({ do: fc.constant('update') }),
  fc.record({ do: fc.constant('read'), reader: fc.nat(2) }),
);

describe('RowDiff', () => {
  it.each([1, 3, 1_000])('brings every reader to the list, remembering %d removals', (mostRemovals) => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const rows = new TestRows();
        const diff = new RowDiff(rows, mostRemovals);
        const readers = [new Reader(), new Reader(), new Reader()];
        let next = 0;
        let version = 0;
        const update = (): void => {
          if (diff.update(++next)) version = next;
        };
        update();
        for (const each of steps) {
          if ('value' in each) rows.set(`k${each.key}`, each.value);
          else if ('key' in each) rows.remove(`k${each.key}`);
          else if ('reader' in each) readers[each.reader]!.take(diff, version);
          else update();
        }
        update();
        for (const reader of readers) {
          reader.take(diff, version);
          expect(reader.sorted).toEqual(rows.list.map(({ key, value }) => ({ key, value })));
        }
      }),
      { numRuns: runs(500) },
    );
  });

  it('tells only what changed, and nothing where nothing did', () => {
    const rows = new TestRows();
    for (const key of ['a', 'b', 'c']) rows.set(key, 0);
    const diff = new RowDiff(rows);
    diff.update(1);
    expect(diff.since(0)).toMatchObject({ whole: true, removed: [] });
    expect(diff.update(2)).toBe(false);
    rows.set('b', 1);
    rows.remove('c');
    expect(diff.update(3)).toBe(true);
    expect(diff.since(1)).toEqual({ whole: false, rows: ['{"key":"b","value":1}'], removed: ['c'] });
    rows.set('b', 1);
    expect(diff.update(4)).toBe(false);
  });
});
