/**
 * Takes in what the bus brings, in slices: a socket with a backlog hands over megabytes in one turn of the event loop, ten
 * thousand events, and nobody who calls the API is to wait for all of them. While there is little, each is taken as it comes.
 */
import { MAX_PAYLOAD_BYTES } from '../wire/event-codec';

/** So much of a turn goes into events while more of them wait. */
const SLICE_MS = 4;
/** Taken between two looks at the clock: a dozen load events, or one event of the prefix cache. */
const LOOK_EVERY_BYTES = 2_048;
/** What may wait. An event that finds no room is lost, as one that the bus loses is: repair notices. */
export const MAX_WAITING_BYTES = 16 * 1024 * 1024;
/** Of the number that says where one ends: what is empty takes room too. */
const OVERHEAD_BYTES = 8;
/** Of what waits; no less than the largest event. */
const BLOCK_BYTES = MAX_PAYLOAD_BYTES;

/** Copies of events that wait, one behind the other: an object for each would make the garbage collector hold the loop. */
interface Block {
  readonly bytes: Uint8Array;
  readonly ends: number[];
  next: number;
}

export class Inbox {
  /** Events that found no room. */
  lost = 0;
  private blocks: Block[] = [];
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
      this.keep(payload);
    }
  }

  /** It is only lent. */
  private keep(payload: Uint8Array): void {
    let block = this.blocks.at(-1);
    let at = block?.ends.at(-1) ?? 0;
    if (!block || at + payload.length > BLOCK_BYTES) {
      block = { bytes: new Uint8Array(BLOCK_BYTES), ends: [], next: 0 };
      this.blocks.push(block);
      at = 0;
    }
    block.bytes.set(payload, at);
    block.ends.push(at + payload.length);
    this.bytes += payload.length + OVERHEAD_BYTES;
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
    for (let block = this.blocks[0]; block; block = this.blocks[0]) {
      const { bytes, ends } = block;
      while (block.next < ends.length) {
        const payload = bytes.subarray(ends[block.next - 1] ?? 0, ends[block.next]);
        if (!this.hasTimeFor(payload)) return;
        block.next++;
        this.bytes -= payload.length + OVERHEAD_BYTES;
        this.take(payload);
      }
      this.blocks.shift();
    }
  }

  private hasTimeFor({ length }: Uint8Array): boolean {
    this.untilLook -= length + OVERHEAD_BYTES;
    if (this.untilLook > 0) return this.endsAtMs > 0;
    this.untilLook = LOOK_EVERY_BYTES;
    if (this.monotonicMs() >= this.endsAtMs) this.endsAtMs = 0;
    return this.endsAtMs > 0;
  }
}
