/**
 * How long a process has waited for a core that others used, as Linux counts it: what a replica is slow by on a busy machine is not
 * held against it. Elsewhere than on Linux it is 0.
 */
import { readFileSync } from 'node:fs';

export function heldUpMs(pid: number): number {
  try {
    // What its main thread ran, and waited, in nanoseconds, and how often.
    const [, waitedNs] = readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ');
    return Number(waitedNs) / 1e6;
  } catch {
    return 0;
  }
}
