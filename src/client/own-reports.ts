/**
 * Own reports that a stream of rows does not show yet, laid over its rows: without them every gateway sends all that comes between
 * two frames to the same engine. Pure, and as large as there are engines.
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

/** Reports of one engine together. */
class Sum {
  private reports = 0;
  queuedRequests = 0;
  promptLength = 0;
  prefillRequests = 0;

  get isEmpty(): boolean {
    return this.reports === 0;
  }

  put(change: RowChange, sign: 1 | -1): void {
    this.reports += sign;
    this.queuedRequests += sign * change.queuedRequests;
    this.promptLength += sign * change.promptLength;
    this.prefillRequests += sign * change.prefillRequests;
  }
}

interface OfEngine {
  readonly sending: Sum;
  answered: Sum;
  /** When the last of the answered ones was. */
  answeredMs: number;
}

export class OwnReports {
  private readonly engines = new Map<string, OfEngine>();

  /** `settleMs`: how long after its answer a report is surely shown by a stream that lives. */
  constructor(private readonly settleMs: number) {}

  /** The engines that have any. */
  get ips(): Iterable<string> {
    return this.engines.keys();
  }

  get isEmpty(): boolean {
    return this.engines.size === 0;
  }

  /** One that will be sent. Whoever sends it says what came of it: when it was answered, or undefined where it never will be. */
  sending(change: RowChange): (answeredMs: number | undefined) => void {
    this.of(change.ip).sending.put(change, 1);
    return (answeredMs) => {
      this.of(change.ip).sending.put(change, -1);
      if (answeredMs !== undefined) this.answered(change, answeredMs);
      else this.forgetEmpty(change.ip);
    };
  }

  answered(change: RowChange, nowMs: number): void {
    const engine = this.of(change.ip);
    engine.answered.put(change, 1);
    engine.answeredMs = nowMs;
  }

  /** A frame with these rows has come; undefined: with all of them. */
  shown(ips: Iterable<string> | undefined): void {
    for (const ip of [...(ips ?? this.engines.keys())]) this.forgetAnswered(ip);
  }

  /** The row with them; `live`: the stream is open, and has been since they were answered. */
  over(ip: string, row: EngineRow | undefined, live: boolean, nowMs: number): EngineRow | undefined {
    const engine = this.engines.get(ip);
    if (!engine) return row;
    if (live && engine.answeredMs + this.settleMs <= nowMs) this.forgetAnswered(ip);
    const { sending, answered } = engine;
    // A delete whose frame came before its answer is taken off twice until the next frame.
    const sum = (of: keyof Sum & keyof EngineRow): number =>
      Math.max(0, (row?.[of] ?? 0) + sending[of] + answered[of]);
    return {
      ip,
      queuedRequests: sum('queuedRequests'),
      promptLength: sum('promptLength'),
      prefillRequests: sum('prefillRequests'),
    };
  }

  private of(ip: string): OfEngine {
    let engine = this.engines.get(ip);
    if (!engine) {
      engine = { sending: new Sum(), answered: new Sum(), answeredMs: -Infinity };
      this.engines.set(ip, engine);
    }
    return engine;
  }

  private forgetAnswered(ip: string): void {
    const engine = this.engines.get(ip);
    if (!engine) return;
    engine.answered = new Sum();
    this.forgetEmpty(ip);
  }

  private forgetEmpty(ip: string): void {
    const engine = this.engines.get(ip);
    if (engine?.sending.isEmpty && engine.answered.isEmpty) this.engines.delete(ip);
  }
}
