/** The rows of a cluster as a stream keeps them, with what this process has reported meanwhile laid over. */
import { type EngineRow, type PickOptions, pickEngine, readRow } from './engine-row';
import { OwnReports } from './own-reports';
import type { Surroundings } from './surroundings';

/** Beyond the interval: for a frame, and for a report that has to come to the stream's replica by the bus. */
const ON_THE_WAY_MS = 100;

export class View {
  /** What a report adds to a row, from when it is made. */
  readonly own: OwnReports;
  private readonly shown = new Map<string, EngineRow>();
  private heardMs = -Infinity;
  private open = false;

  constructor(
    readonly cluster: string,
    intervalMs: number,
    private readonly surroundings: Pick<Surroundings, 'monotonicMs' | 'random'>,
    private readonly end: () => void,
  ) {
    this.own = new OwnReports(intervalMs + ON_THE_WAY_MS);
  }

  /** Whether the stream is open and has brought the rows. */
  get live(): boolean {
    return this.open;
  }

  /** Since the last sign of life of the stream, where idle clusters give one every 5 to 10 s; Infinity before the first rows. */
  get ageMs(): number {
    return this.surroundings.monotonicMs() - this.heardMs;
  }

  get rows(): EngineRow[] {
    return [...this.laid().values()];
  }

  /** The engine of least cost among a few that are picked at random. */
  pick(options: PickOptions = {}): EngineRow | undefined {
    return pickEngine(this.laid(), options, this.surroundings.random);
  }

  /** Ends the stream. */
  close(): void {
    this.end();
  }

  /** An event of the stream, with its data. */
  take(name: string, json: string): void {
    if (name !== 'rows' && name !== 'changes') return;
    const { rows, removed } = JSON.parse(json) as { rows: unknown[]; removed: string[] };
    const whole = name === 'rows';
    if (whole) {
      this.open = true;
      this.shown.clear();
    }
    const ips = new Set(removed);
    for (const ip of removed) this.shown.delete(ip);
    for (const row of rows.map(readRow)) {
      this.shown.set(row.ip, row);
      ips.add(row.ip);
    }
    this.heard();
    this.own.shown(whole ? undefined : ips, this.surroundings.monotonicMs());
  }

  /** Anything at all has come. */
  heard(): void {
    if (this.open) this.heardMs = this.surroundings.monotonicMs();
  }

  lost(): void {
    this.open = false;
  }

  private laid(): ReadonlyMap<string, EngineRow> {
    return this.own.over(this.shown, this.open, this.surroundings.monotonicMs());
  }
}
