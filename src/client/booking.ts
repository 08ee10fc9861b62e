/** A request that counts at an engine, from when it was booked until its end. */
import type { EngineRow } from './engine-row';

export interface BookingReports {
  readonly firstToken: () => void;
  readonly end: () => void;
}

export class Booking implements AsyncDisposable {
  private prefilled = false;
  private over = false;

  constructor(
    readonly cluster: string,
    /** The address of the engine. */
    readonly engine: string,
    readonly requestId: string,
    /** The engine's row as it was after the booking; undefined for a request that was added. */
    readonly row: EngineRow | undefined,
    private readonly reports: BookingReports,
  ) {}

  get hasEnded(): boolean {
    return this.over;
  }

  get hasFirstToken(): boolean {
    return this.prefilled;
  }

  /** The first token came back: the prompt no longer counts. Once, and not after the end. */
  firstToken(): void {
    if (this.prefilled || this.over) return;
    this.prefilled = true;
    this.reports.firstToken();
  }

  /** The request is over, however it ended. Once. */
  end(): void {
    if (this.over) return;
    this.over = true;
    this.reports.end();
  }

  /** For `await using`. The report is sent in the background. */
  [Symbol.asyncDispose](): Promise<void> {
    this.end();
    return Promise.resolve();
  }
}
