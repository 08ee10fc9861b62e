/**
 * Sends reports in the background, many at once. A lane is a replica that is home to some clusters; its reports go there, and where
 * it does not answer to the next one. Each lane has one batch on its way, so reports of one request keep their order.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { isRetriable, saysItArrived } from './answers';
import type { Caller } from './caller';
import { Codes, MetadataCenterError } from './errors';
import type { ReplicaChoice } from './replica-choice';
import { type Op, type Report, ReportQueue } from './report-queue';
import type { Surroundings } from './surroundings';

export interface ReporterOptions {
  readonly maxEvents: number;
  readonly delayMs: number;
  readonly maxQueued: number;
  /** How often a report that is answered "not now" is sent; a delete always again. */
  readonly attempts: number;
}

export interface ReporterParts {
  readonly caller: Caller;
  readonly choice: ReplicaChoice;
  readonly surroundings: Pick<Surroundings, 'monotonicMs'>;
  /** A report that was refused for good. */
  readonly onRefused: (error: MetadataCenterError, op: Op) => void;
}

interface BatchData {
  readonly failed: readonly { readonly index: number; readonly code: number; readonly reason: string }[];
}

/** Where nothing is known of any replica yet. */
const NO_LANE = '';
const PAUSE_MS = 100;

export class Reporter {
  readonly counts = { taken: 0, refused: 0 };
  readonly queue: ReportQueue;
  /** What replicas of an older version do not know is not sent again. */
  private readonly unknownOps = new Set<Op>();
  private readonly busy = new Set<string>();
  private readonly stopping = new AbortController();
  private idle: (() => void)[] = [];

  constructor(
    private readonly options: ReporterOptions,
    private readonly parts: ReporterParts,
  ) {
    this.queue = new ReportQueue(options.maxQueued);
  }

  report(key: string, op: Op, event: string, settled?: (outcome: 'taken' | 'given up') => void): void {
    if (this.unknownOps.has(op)) {
      settled?.('given up');
      return;
    }
    const json = `{"op":"${op}",${event.slice(1)}`;
    const report: Report = {
      op,
      json,
      bytes: Buffer.byteLength(json),
      sent: 0,
      refused: 0,
      ...(settled && { settled }),
    };
    if (this.stopping.signal.aborted) {
      this.queue.giveUp(report);
      return;
    }
    const lane = this.parts.choice.home(key) ?? NO_LANE;
    this.queue.push(lane, report);
    if (!this.busy.has(lane)) void this.drain(lane);
  }

  /** Resolves when nothing waits and nothing is on its way. */
  flushed(): Promise<void> {
    if (this.queue.size === 0 && this.busy.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.idle.push(resolve));
  }

  /** What is left is given up. */
  stop(): void {
    this.stopping.abort();
    this.queue.giveUpAll();
  }

  private async drain(lane: string): Promise<void> {
    const { maxEvents, delayMs } = this.options;
    this.busy.add(lane);
    while (this.queue.waitsIn(lane) > 0) {
      // What comes meanwhile goes with it; a full batch waits for nothing.
      if (this.queue.waitsIn(lane) < maxEvents) await delay(delayMs);
      const reports = this.queue.take(lane, maxEvents);
      const left = reports.length > 0 ? await this.deliver(lane, reports) : [];
      if (left.length === 0) continue;
      if (this.stopping.signal.aborted) {
        for (const report of left) this.queue.giveUp(report);
        continue;
      }
      this.queue.putBack(lane, left);
      const pauseMs = this.parts.choice.pauseMs(this.parts.surroundings.monotonicMs());
      const { signal } = this.stopping;
      await delay(Math.max(PAUSE_MS, pauseMs), undefined, { signal }).catch(() => undefined);
    }
    this.busy.delete(lane);
    if (this.busy.size > 0) return;
    for (const resolve of this.idle.splice(0)) resolve();
  }

  /** Answers those that are to be sent again. */
  private async deliver(lane: string, reports: readonly Report[]): Promise<readonly Report[]> {
    const body = `{"events":[${reports.map(({ json }) => json).join()}]}`;
    const request = { method: 'POST', path: '/v1/load/batch', body } as const;
    const { answer, attempts } = await this.parts.caller.call(lane, () => request);
    for (const report of reports) report.sent += attempts;
    if (answer.kind === 'data') return this.settle(reports, answer.data as BatchData);
    if (isRetriable(answer.error)) return reports;
    for (const report of reports) this.refuse(report, answer.error);
    return [];
  }

  private settle(reports: readonly Report[], { failed }: BatchData): readonly Report[] {
    const failures = new Map(failed.map((failure) => [failure.index, failure]));
    return reports.filter((report, index) => {
      const failure = failures.get(index);
      if (!failure || (report.sent > 1 && saysItArrived(failure.code))) {
        this.counts.taken++;
        report.settled?.('taken');
        return false;
      }
      report.refused++;
      const isFull = failure.code === Codes.unavailable;
      if (isFull && (report.op === 'delete' || report.refused < this.options.attempts)) return true;
      this.refuse(report, new MetadataCenterError(failure.code, 200, failure.reason, undefined));
      return false;
    });
  }

  private refuse(report: Report, error: MetadataCenterError): void {
    report.settled?.('given up');
    if (isUnknownOp(error)) {
      this.unknownOps.add(report.op);
      return;
    }
    this.counts.refused++;
    this.parts.onRefused(error, report.op);
  }
}

function isUnknownOp({ code, reason }: MetadataCenterError): boolean {
  return code === Codes.invalidInput && reason.startsWith('op ');
}
