/**
 * Takes in what the bus brings, in slices: a socket with a backlog hands over megabytes in one turn of the event loop, ten
 * thousand events, and nobody who calls the API is to wait for all of them. While there is little, each is taken as it comes.
 */
import { MAX_PAYLOAD_BYTES } from '../wire/event-codec';

/** So much of a turn goes into events while more of them wait. */
const SLICE_MS = 8;
/** Taken between two looks at the clock: a dozen load events, or one event of the prefix cache. */
const LOOK_EVERY_BYTES = 2_048;
/** What may wait. An event that finds no room is lost, as one that the bus loses is: repair notices. */
export const MAX_WAITING_BYTES = 16 * 1024 * 1024;
/** Of the object that holds one. */
const OVERHEAD_BYTES = 128;

export class Inbox {
  /** Events that found no room. */
  lost = 0;
  private waiting: Uint8Array[] = [];
  private next = 0;
  private bytes = 0;
  private turnOpen = false;
  private endsAtMs = 0;
  private untilLook = LOOK_EVERY_BYTES;

  constructor(
    private readonly take: (payload: Uint8Array) => void,
    private readonly monotonicMs: () => number,
    private readonly nextTurn: (turn: () => void) => void = setImmediate,
  ) {}

  get waitingBytes(): number {
    return this.bytes;
  }

  receive(payload: Uint8Array): void {
    if (!this.turnOpen) this.openTurn();
    // What is too large to be an event is refused at no cost.
    if ((this.bytes === 0 && this.hasTimeFor(payload)) || payload.length > MAX_PAYLOAD_BYTES) {
      this.take(payload);
    } else if (this.bytes + payload.length + OVERHEAD_BYTES > MAX_WAITING_BYTES) {
      this.lost++;
    } else {
      // It is only lent.
      this.waiting.push(new Uint8Array(payload));
      this.bytes += payload.length + OVERHEAD_BYTES;
    }
  }

  private openTurn(): void {
    this.turnOpen = true;
    this.endsAtMs = this.monotonicMs() + SLICE_MS;
    this.untilLook = LOOK_EVERY_BYTES;
    this.nextTurn(() => this.turn());
  }

  private turn(): void {
    this.turnOpen = false;
    if (this.bytes === 0) return;
    this.openTurn();
    while (this.next < this.waiting.length) {
      const payload = this.waiting[this.next]!;
      if (!this.hasTimeFor(payload)) break;
      this.next++;
      this.bytes -= payload.length + OVERHEAD_BYTES;
      this.take(payload);
    }
    if (this.next * 2 < this.waiting.length) return;
    this.waiting = this.waiting.slice(this.next);
    this.next = 0;
  }

  private hasTimeFor({ length }: Uint8Array): boolean {
    this.untilLook -= length;
    if (this.untilLook > 0) return this.endsAtMs > 0;
    this.untilLook = LOOK_EVERY_BYTES;
    if (this.monotonicMs() >= this.endsAtMs) this.endsAtMs = 0;
    return this.endsAtMs > 0;
  }
}
