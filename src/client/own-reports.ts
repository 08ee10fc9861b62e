/**
 * Own reports that a stream of rows does not show yet, laid over its rows: without them every gateway sends all that comes between
 * two frames to the same engine. Pure.
 *
 * A report is in a row once a frame with that row has come after the report was answered. Where none has come although the stream
 * lives, the row had it before: a change would have been told within the interval.
 */
import type { EngineRow } from './engine-row';

export interface RowChange {
  readonly ip: string;
  readonly queuedRequests: number;
  readonly promptLength: number;
  readonly prefillRequests: number;
}

interface OwnReport extends RowChange {
  /** Undefined while it is on its way. */
  answeredMs: number | undefined;
}

export class OwnReports {
  private readonly pending = new Set<OwnReport>();

  /** `settleMs`: how long after its answer a report is surely shown by a stream that lives. */
  constructor(private readonly settleMs: number) {}

  get size(): number {
    return this.pending.size;
  }

  /** One that will be sent. Whoever sends it says what came of it: when it was answered, or undefined where it never will be. */
  sending(change: RowChange): (answeredMs: number | undefined) => void {
    const report: OwnReport = { ...change, answeredMs: undefined };
    this.pending.add(report);
    return (answeredMs) => {
      if (answeredMs === undefined) this.pending.delete(report);
      else report.answeredMs = answeredMs;
    };
  }

  answered(change: RowChange, nowMs: number): void {
    this.pending.add({ ...change, answeredMs: nowMs });
  }

  /** A frame with these rows has come; undefined: with all of them. */
  shown(ips: ReadonlySet<string> | undefined, nowMs: number): void {
    for (const report of this.pending) {
      if (report.answeredMs === undefined || report.answeredMs > nowMs) continue;
      if (!ips || ips.has(report.ip)) this.pending.delete(report);
    }
  }

  /** `rows` with them; `live`: the stream is open, and has been since the reports were answered. */
  over(rows: ReadonlyMap<string, EngineRow>, live: boolean, nowMs: number): Map<string, EngineRow> {
    const laid = new Map(rows);
    const touched = new Set<string>();
    for (const report of this.pending) {
      const { ip, answeredMs } = report;
      if (live && answeredMs !== undefined && answeredMs + this.settleMs <= nowMs) {
        this.pending.delete(report);
        continue;
      }
      touched.add(ip);
      laid.set(ip, sumOf(laid.get(ip), report));
    }
    // A delete whose frame came before its answer is taken off twice until the next frame.
    for (const ip of touched) laid.set(ip, notNegative(laid.get(ip)!));
    return laid;
  }
}

function sumOf(row: EngineRow | undefined, change: RowChange): EngineRow {
  return {
    ip: change.ip,
    queuedRequests: (row?.queuedRequests ?? 0) + change.queuedRequests,
    promptLength: (row?.promptLength ?? 0) + change.promptLength,
    prefillRequests: (row?.prefillRequests ?? 0) + change.prefillRequests,
  };
}

function notNegative({ ip, queuedRequests, promptLength, prefillRequests }: EngineRow): EngineRow {
  return {
    ip,
    queuedRequests: Math.max(0, queuedRequests),
    promptLength: Math.max(0, promptLength),
    prefillRequests: Math.max(0, prefillRequests),
  };
}
