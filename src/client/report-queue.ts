/**
 * Reports that wait to be sent, by lane; what waits longest is sent first. Bounded: where it is full something is given up, a
 * delete last, since a lost delete leaves its request in the rows until it expires. Pure.
 */

export const GIVEN_UP_IN_THIS_ORDER = ['refresh', 'owner', 'prompt-delete', 'add', 'delete'] as const;
export type Op = (typeof GIVEN_UP_IN_THIS_ORDER)[number];

export interface Report {
  readonly op: Op;
  /** The event as JSON: every copy has the same bytes. */
  readonly json: string;
  readonly bytes: number;
  /** How often it was sent before. */
  sent: number;
  /** How often it was answered that it cannot be taken now. */
  refused: number;
  readonly settled?: (outcome: 'taken' | 'given up') => void;
}

/** What a body may have, less its frame. */
const MAX_BATCH_BYTES = 256 * 1024 - 64;

export class ReportQueue {
  readonly givenUp: Record<Op, number> = { refresh: 0, owner: 0, 'prompt-delete': 0, add: 0, delete: 0 };
  /** In the order in which they are to be sent. */
  private readonly lanes = new Map<string, Set<Report>>();
  private readonly byOp: Readonly<Record<Op, Map<Report, string>>> = {
    refresh: new Map(),
    owner: new Map(),
    'prompt-delete': new Map(),
    add: new Map(),
    delete: new Map(),
  };
  private waiting = 0;

  constructor(private readonly maxReports: number) {}

  get size(): number {
    return this.waiting;
  }

  waitsIn(lane: string): number {
    return this.lanes.get(lane)?.size ?? 0;
  }

  push(lane: string, report: Report): void {
    this.put(lane, report);
    if (this.waiting > this.maxReports) this.giveUpOne();
  }

  /** The next ones of a lane, taken out. */
  take(lane: string, most: number): Report[] {
    const taken: Report[] = [];
    const reports = this.lanes.get(lane);
    let bytes = 0;
    for (const report of reports ?? []) {
      bytes += report.bytes + 1;
      if (taken.length === most || (bytes > MAX_BATCH_BYTES && taken.length > 0)) break;
      taken.push(report);
    }
    for (const report of taken) this.remove(lane, report);
    return taken;
  }

  /** Those that were taken and not delivered: they are the next again. */
  putBack(lane: string, reports: readonly Report[]): void {
    const behind = [...(this.lanes.get(lane) ?? [])];
    this.lanes.delete(lane);
    this.waiting -= behind.length;
    for (const report of [...reports, ...behind]) this.put(lane, report);
    while (this.waiting > this.maxReports) this.giveUpOne();
  }

  giveUp(report: Report): void {
    this.givenUp[report.op]++;
    report.settled?.('given up');
  }

  giveUpAll(): void {
    while (this.waiting > 0) this.giveUpOne();
  }

  private put(lane: string, report: Report): void {
    let reports = this.lanes.get(lane);
    if (!reports) this.lanes.set(lane, (reports = new Set()));
    reports.add(report);
    this.byOp[report.op].set(report, lane);
    this.waiting++;
  }

  private remove(lane: string, report: Report): void {
    const reports = this.lanes.get(lane)!;
    reports.delete(report);
    if (reports.size === 0) this.lanes.delete(lane);
    this.byOp[report.op].delete(report);
    this.waiting--;
  }

  /** One of the kind that can be missed most easily. */
  private giveUpOne(): void {
    for (const op of GIVEN_UP_IN_THIS_ORDER) {
      for (const [report, lane] of this.byOp[op]) {
        this.remove(lane, report);
        this.giveUp(report);
        return;
      }
    }
  }
}
