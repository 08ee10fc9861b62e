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
    return this.engines().flatMap((ip) => this.row(ip) ?? []);
  }

  /** The engine of least cost among a few that are picked at random. */
  pick(options: PickOptions = {}): EngineRow | undefined {
    const { candidates = this.engines() } = options;
    return pickEngine(candidates, (ip) => this.row(ip), options, this.surroundings.random);
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
    for (const ip of removed) this.shown.delete(ip);
    const read = rows.map(readRow);
    for (const row of read) this.shown.set(row.ip, row);
    this.heard();
    this.own.shown(whole ? undefined : [...removed, ...read.map(({ ip }) => ip)]);
  }

  /** Anything at all has come. */
  heard(): void {
    if (this.open) this.heardMs = this.surroundings.monotonicMs();
  }

  lost(): void {
    this.open = false;
  }

  private engines(): string[] {
    if (this.own.isEmpty) return [...this.shown.keys()];
    return [...new Set([...this.shown.keys(), ...this.own.ips])];
  }

  private row(ip: string): EngineRow | undefined {
    return this.own.over(ip, this.shown.get(ip), this.open, this.surroundings.monotonicMs());
  }
}
