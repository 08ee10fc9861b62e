/** Connections to every target, side by side, and what came of the requests sent over them. */
import { Connection } from './connection';

export interface Target {
  readonly host: string;
  readonly port: number;
}

export class Lanes {
  private constructor(private readonly connections: readonly (readonly Connection[])[]) {}

  static async open(targets: readonly Target[], count: number): Promise<Lanes> {
    const connections = Array.from({ length: count }, () =>
      targets.map(({ host, port }) => new Connection(host, port)),
    );
    await Promise.all(connections.flat().map((connection) => connection.open()));
    return new Lanes(connections);
  }

  /** One request on each connection: a replica closes those that have never said anything. */
  async greet(request: string): Promise<void> {
    await Promise.all(
      this.connections
        .flat()
        .map((connection) => new Promise((resolve, reject) => connection.send(request, resolve, reject))),
    );
  }

  get count(): number {
    return this.connections.length;
  }

  get targets(): number {
    return this.connections[0]!.length;
  }

  connection(lane: number, target: number): Connection {
    return this.connections[lane]![target]!;
  }

  close(): void {
    for (const connection of this.connections.flat()) connection.close();
  }
}

/** Latencies in milliseconds and statuses of answers. */
export class Tally {
  readonly refused = new Map<number, number>();
  /** All requests, also those whose answer came too late to be counted. */
  sent = 0;
  private readonly latenciesMs: number[] = [];

  answer(status: number, latencyMs: number): void {
    this.latenciesMs.push(latencyMs);
    this.check(status);
  }

  /** An answer whose latency does not count, such as one that came after the time that is measured. */
  untimed(status: number): void {
    this.check(status);
  }

  private check(status: number): void {
    this.sent++;
    if (status !== 200) this.refused.set(status, (this.refused.get(status) ?? 0) + 1);
  }

  get count(): number {
    return this.latenciesMs.length;
  }

  /** Takes in what another one has. */
  add(other: Tally): void {
    this.sent += other.sent;
    for (const latencyMs of other.latenciesMs) this.latenciesMs.push(latencyMs);
    for (const [status, count] of other.refused)
      this.refused.set(status, (this.refused.get(status) ?? 0) + count);
  }

  percentileMs(share: number): number {
    return percentileOf(this.latenciesMs, share);
  }

  /** Of each `count` answers, in the order in which they came. */
  percentilesMs(share: number, count: number): number[] {
    const parts = Math.ceil(this.latenciesMs.length / count);
    return Array.from({ length: parts }, (_, i) =>
      percentileOf(this.latenciesMs.slice(i * count, (i + 1) * count), share),
    );
  }

  /** A benchmark of refusals would be a fast one. */
  assertNoneRefused(): void {
    if (this.refused.size > 0) {
      throw new Error(`answers other than 200: ${JSON.stringify([...this.refused])}`);
    }
  }
}

function percentileOf(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
}
