/**
 * How long a process was kept waiting by the machine: what a replica is slow by for want of a core is not held against it.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** A reading serves for this long. */
const READING_MS = 5;

/** How long all threads of a process have waited for a core that others used, as Linux counts it. Elsewhere than on Linux it is 0. */
export class CoreWaits {
  private readMs = -Infinity;
  private waitedMs = 0;

  constructor(private readonly pid: number) {}

  totalMs(): number {
    const now = performance.now();
    if (now - this.readMs > READING_MS) {
      this.readMs = now;
      this.waitedMs = waitedMs(this.pid);
    }
    return this.waitedMs;
  }
}

/** Of all threads: the main one waits for those that collect its garbage. */
function waitedMs(pid: number): number {
  let waitedNs = 0;
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      // What it ran, and waited, in nanoseconds, and how often.
      waitedNs += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[1]);
    }
  } catch {
    // The process, or a thread of it, has ended.
  }
  return waitedNs / 1e6;
}

const TICK_MS = 2;

/** How long the event loop of this process was held up, by its own work, by others, or because the whole machine stood still. */
export class LoopHolds {
  private heldMs = 0;
  private lastMs = performance.now();
  private readonly timer = setInterval(() => {
    this.heldMs = this.totalMs();
    this.lastMs = performance.now();
  }, TICK_MS);

  totalMs(): number {
    return this.heldMs + Math.max(0, performance.now() - this.lastMs - TICK_MS);
  }

  stop(): void {
    clearInterval(this.timer);
  }
}
