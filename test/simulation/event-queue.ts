/**
 * Virtual time: what happens next, in order of time and, at the same time, in the order in which it was planned.
 */
interface Planned {
  readonly timeUs: number;
  readonly order: number;
  readonly run: () => void;
}

export class EventQueue {
  private readonly heap: Planned[] = [];
  private planned = 0;

  constructor(public nowUs: number) {}

  /** Events so far. */
  get count(): number {
    return this.planned - this.heap.length;
  }

  after(delayUs: number, run: () => void): void {
    this.at(this.nowUs + delayUs, run);
  }

  at(timeUs: number, run: () => void): void {
    const { heap } = this;
    const entry = { timeUs: Math.max(timeUs, this.nowUs), order: this.planned++, run };
    let i = heap.length;
    heap.push(entry);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!isBefore(entry, heap[parent]!)) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = entry;
  }

  runUntil(timeUs: number): void {
    while (this.heap.length > 0 && this.heap[0]!.timeUs <= timeUs) {
      const next = this.take();
      this.nowUs = next.timeUs;
      next.run();
    }
    this.nowUs = timeUs;
  }

  private take(): Planned {
    const { heap } = this;
    const first = heap[0]!;
    const last = heap.pop()!;
    const { length } = heap;
    if (length === 0) return first;
    let i = 0;
    for (let child = 1; child < length; child = 2 * i + 1) {
      if (child + 1 < length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
    return first;
  }
}

function isBefore(a: Planned, b: Planned): boolean {
  return a.timeUs < b.timeUs || (a.timeUs === b.timeUs && a.order < b.order);
}
