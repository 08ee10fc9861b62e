/**
 * Publishes later what the bus could not take: events of this replica that were reported while it was cut off.
 *
 * With peers, repair brings them to the others too; this spares it the work, and does it where no DNS name is
 * configured. Published several times, since the others may find back to the bus later than this replica: what comes
 * twice changes nothing. What a connection lost on its way is not known here, and is left to repair. Polled with the time.
 */
import type { Bus } from '../bus/bus';

/** After the bus is back. A replica tries to connect at least every 1.25 s; a dead link is noticed after 12 s. */
const ROUNDS_MS = [100, 1_500, 5_000, 15_000] as const;
/** How often it looks whether something is due. */
export const REPUBLISH_TICK_MS = 100;
/** Of payloads; beyond it the oldest are left to repair. About 80,000 events, and half as much again in memory. */
const MAX_KEPT_BYTES = 16 * 1024 * 1024;

interface Kept {
  readonly subject: string;
  readonly payload: Uint8Array;
}

export class Republisher {
  /** Events that were too many to keep, or are larger than the server that came back takes. */
  dropped = 0;
  private kept: Kept[] = [];
  private bytes = 0;
  /** The number of the oldest that is kept; numbers rise by one. */
  private first = 0;
  private next = 0;
  private isBack = false;
  /** When the rounds that are left are due. */
  private rounds: number[] = [];

  constructor(
    private readonly bus: Bus,
    private readonly roundsMs: readonly number[] = ROUNDS_MS,
    private readonly maxKeptBytes: number = MAX_KEPT_BYTES,
  ) {}

  /** Events that wait to be published again. */
  get size(): number {
    return this.kept.length;
  }

  /** The bus did not take it. */
  keep(subject: string, payload: Uint8Array): void {
    this.kept.push({ subject, payload });
    this.bytes += payload.length;
    // A quarter at once, so that it is seldom done.
    if (this.bytes > this.maxKeptBytes) {
      const oldest = Math.ceil(this.kept.length / 4);
      this.dropped += oldest;
      this.drop(oldest);
    }
  }

  busConnected(): void {
    this.isBack = true;
  }

  /** Publishes what is due. */
  tick(nowMs: number): void {
    // A full buffer and no lost connection: nobody will say that the bus is back.
    const wasFull = this.rounds.length === 0 && this.kept.length > 0 && this.bus.connected;
    if (this.isBack || wasFull) {
      this.isBack = false;
      this.rounds = this.roundsMs.map((delayMs) => nowMs + delayMs);
      this.next = this.first;
    }
    if (this.rounds.length === 0 || this.rounds[0]! > nowMs || !this.publish()) return;
    this.rounds.shift();
    this.next = this.first;
    if (this.rounds.length === 0) this.drop(this.kept.length);
  }

  /** Publishes what is left, as far as the bus takes it, and ends. Answers how many events it did not take. */
  finish(): number {
    this.next = this.first;
    this.publish();
    return this.first + this.kept.length - this.next;
  }

  /** True when the bus has taken all of it. */
  private publish(): boolean {
    this.dropTooLarge();
    const end = this.first + this.kept.length;
    for (this.next = Math.max(this.next, this.first); this.next < end; this.next++) {
      const { subject, payload } = this.kept[this.next - this.first]!;
      if (!this.bus.publish(subject, payload)) return false;
    }
    return true;
  }

  private dropTooLarge(): void {
    const most = this.bus.maxPayload ?? Infinity;
    const fitting = this.kept.filter(({ payload }) => payload.length <= most);
    const tooLarge = this.kept.length - fitting.length;
    if (tooLarge === 0) return;
    this.dropped += tooLarge;
    this.first += tooLarge;
    this.kept = fitting;
    this.bytes = fitting.reduce((sum, { payload }) => sum + payload.length, 0);
  }

  private drop(count: number): void {
    for (const { payload } of this.kept.splice(0, count)) this.bytes -= payload.length;
    this.first += count;
  }
}
