/**
 * The oracle: the rows recounted from the plain set of events, by the rules of the design page alone. It keeps every
 * event that it accepted, shares no code with the view and no cleverness, so that a rule broken there shows here.
 *
 * One thing is not a function of the set: a deletion that arrives when the add that it covers has already expired here
 * may or may not still be linked to the add's row. `updated_time` then lies between two bounds; everything else is exact.
 */
import type {
  AddEvent,
  DeleteEvent,
  GoneEvent,
  LeaseEvent,
  LoadEvent,
  OwnerEvent,
  PromptDeleteEvent,
} from '../../src/core/event';

export interface NaiveRow {
  readonly cluster: string;
  readonly ip: string;
  queued: number;
  prompt: number;
  /** Bounds of `updated_time`; equal unless a deletion came after its add had expired. */
  updatedLowUs: number;
  updatedHighUs: number;
}

export type NaiveOutcome = 'applied' | 'expired' | 'ahead';
type Deletion = DeleteEvent | PromptDeleteEvent;
/** A lease is about adds up to the longest ttl and R after it, and remembered as long as those may count. */
const LONGEST_TTL_US = 300_000_000;

export class NaiveView {
  private readonly adds = new Map<string, AddEvent>();
  private readonly deletions = new Map<string, Deletion>();
  private readonly rowTimes: { cluster: string; ip: string; timeUs: number }[] = [];
  /** Pairs of an add and a deletion that met while the add was not expired. */
  private readonly met = new Set<string>();
  private readonly leases: LeaseEvent[] = [];
  private readonly gone: GoneEvent[] = [];
  private latestNowUs = 0;
  /** The time by which leases run out. */
  leaseNowUs = -Infinity;

  constructor(
    private readonly expireAfterUs: number,
    private readonly retentionUs: number,
  ) {}

  arrive(event: LoadEvent | OwnerEvent, nowUs: number): NaiveOutcome {
    const now = this.advance(nowUs);
    const isOfOwner = event.type === 'owner' || event.type === 'owner-gone';
    const retainedUs = event.type === 'add' ? 0 : this.retentionUs + (isOfOwner ? LONGEST_TTL_US : 0);
    const keptForUs = retainedUs + this.expireAfterUs;
    if (event.timeUs + keptForUs <= now) return 'expired';
    if (event.timeUs > now + this.retentionUs) return 'ahead';
    if (event.type === 'owner') this.leases.push(event);
    else if (event.type === 'owner-gone') this.gone.push(event);
    else if (event.type === 'add') {
      this.adds.set(keyOf(event), event);
      for (const deletion of this.deletions.values()) this.meet(event, deletion);
    } else {
      this.deletions.set(keyOf(event), event);
      for (const add of this.adds.values()) {
        if (!this.isExpired(add, now)) this.meet(add, event);
      }
    }
    return 'applied';
  }

  arriveRow(cluster: string, ip: string, timeUs: number, nowUs: number): NaiveOutcome {
    const now = this.advance(nowUs);
    if (timeUs + this.expireAfterUs <= now) return 'expired';
    if (timeUs > now + this.retentionUs) return 'ahead';
    this.rowTimes.push({ cluster, ip, timeUs });
    return 'applied';
  }

  /** Rows that are, or may be, listed: their last event may be younger than E. */
  rows(nowUs: number): NaiveRow[] {
    const now = this.advance(nowUs);
    const rows = new Map<string, NaiveRow>();
    for (const add of this.adds.values()) {
      const row = rowOf(rows, add);
      raise(row, add.timeUs, true);
      for (const deletion of this.deletions.values()) {
        if (this.covers(deletion, add)) raise(row, deletion.timeUs, this.met.has(pairOf(add, deletion)));
      }
    }
    for (const known of this.rowTimes) raise(rowOf(rows, known), known.timeUs, true);
    for (const requestId of this.requestIds()) {
      const add = this.contributionOf(requestId, now);
      if (!add) continue;
      const row = rowOf(rows, add);
      row.queued++;
      if (!this.isCovered(add, 'prompt-delete')) row.prompt += add.promptLength;
    }
    return [...rows.values()]
      .filter((row) => row.updatedHighUs + this.expireAfterUs > now)
      .sort((a, b) => compareText(a.cluster, b.cluster) || compareText(a.ip, b.ip));
  }

  /** Uncovered, unexpired adds. */
  liveAdds(nowUs: number): AddEvent[] {
    const now = this.advance(nowUs);
    return [...this.adds.values()].filter(
      (add) => !this.isExpired(add, now) && !this.isCovered(add, 'delete'),
    );
  }

  /** The latest remembered delete or prompt-delete of an id. */
  deletedUs(requestId: string, type: Deletion['type'], nowUs: number): number | undefined {
    const now = this.advance(nowUs);
    const times = [...this.deletions.values()]
      .filter((deletion) => deletion.requestId === requestId && deletion.type === type)
      .map((deletion) => deletion.timeUs)
      .filter((timeUs) => timeUs + this.retentionUs + this.expireAfterUs > now);
    return times.length > 0 ? Math.max(...times) : undefined;
  }

  requestIds(): Set<string> {
    return new Set([...this.adds.values(), ...this.deletions.values()].map((event) => event.requestId));
  }

  private contributionOf(requestId: string, now: number): AddEvent | undefined {
    return this.liveAdds(now)
      .filter((add) => add.requestId === requestId && this.isOfTheLiving(add))
      .sort((a, b) => a.timeUs - b.timeUs || compareText(a.origin, b.origin))[0];
  }

  /** Whether its owner, if it has one, lets it count. */
  isOfTheLiving({ owner, timeUs }: AddEvent): boolean {
    if (owner === undefined) return true;
    if (this.gone.some((gone) => gone.owner === owner && timeUs <= gone.timeUs + this.retentionUs))
      return false;
    const lease = this.leases
      .filter((each) => each.owner === owner)
      .sort((a, b) => b.timeUs - a.timeUs || b.ttlMs - a.ttlMs)[0];
    if (!lease || timeUs > lease.timeUs + LONGEST_TTL_US + this.retentionUs) return true;
    const adds = [...this.adds.values()].filter((add) => add.owner === owner);
    const lastSignUs = Math.max(lease.timeUs, ...adds.map((add) => add.timeUs));
    return this.leaseNowUs < lastSignUs + lease.ttlMs * 1000;
  }

  private isExpired(add: AddEvent, now: number): boolean {
    return add.timeUs + this.expireAfterUs <= now;
  }

  private isCovered(add: AddEvent, by: Deletion['type']): boolean {
    return [...this.deletions.values()].some(
      (deletion) => deletion.type === by && this.covers(deletion, add),
    );
  }

  private covers(deletion: Deletion, add: AddEvent): boolean {
    return deletion.requestId === add.requestId && add.timeUs <= deletion.timeUs + this.retentionUs;
  }

  private meet(add: AddEvent, deletion: Deletion): void {
    if (this.covers(deletion, add)) this.met.add(pairOf(add, deletion));
  }

  advance(nowUs: number): number {
    this.latestNowUs = Math.max(this.latestNowUs, nowUs);
    return this.latestNowUs;
  }
}

function rowOf(rows: Map<string, NaiveRow>, { cluster, ip }: { cluster: string; ip: string }): NaiveRow {
  const key = JSON.stringify([cluster, ip]);
  const row = rows.get(key) ?? { cluster, ip, queued: 0, prompt: 0, updatedLowUs: 0, updatedHighUs: 0 };
  rows.set(key, row);
  return row;
}

function raise(row: NaiveRow, timeUs: number, certain: boolean): void {
  row.updatedHighUs = Math.max(row.updatedHighUs, timeUs);
  if (certain) row.updatedLowUs = Math.max(row.updatedLowUs, timeUs);
}

function keyOf({ origin, seq }: LoadEvent | OwnerEvent): string {
  return `${origin}/${seq}`;
}

function pairOf(add: AddEvent, deletion: Deletion): string {
  return `${keyOf(add)} ${keyOf(deletion)}`;
}

export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
