/**
 * A rate that does not wait for the servers: what is due and finds every lane busy waits, and its wait counts as latency
 * (else a stalled server would be asked less just then, and look good).
 */
import { type Lanes, Tally } from './lanes';

const TICK_MS = 1;

/** `requestOf` gives the request number `n`, or undefined where there is none; the latency of those that are `timed` is kept. */
export function openLoop(
  lanes: Lanes,
  requestOf: (n: number) => string | undefined,
  perSecond: number,
  durationMs: number,
  timed: (n: number) => boolean = () => true,
): Promise<Tally> {
  const total = Math.floor((perSecond * durationMs) / 1000);
  const tally = new Tally();
  const idle = Array.from({ length: lanes.count }, (_, lane) => lane);
  const waiting: { n: number; request: string; target: number; dueMs: number }[] = [];
  return new Promise<void>((resolve, reject) => {
    const start = performance.now();
    let issued = 0;
    const pump = (): void => {
      while (waiting.length > 0 && idle.length > 0) {
        const { n, request, target, dueMs } = waiting.shift()!;
        const lane = idle.pop()!;
        const answered = (status: number): void => {
          if (timed(n)) tally.answer(status, performance.now() - dueMs);
          else tally.untimed(status);
          idle.push(lane);
          pump();
        };
        lanes.connection(lane, target).send(request, answered, reject);
      }
      if (issued < total || idle.length < lanes.count) return;
      clearInterval(timer);
      resolve();
    };
    const timer = setInterval(() => {
      const now = performance.now();
      const due = Math.min(total, Math.floor(((now - start) * perSecond) / 1000));
      for (; issued < due; issued++) {
        const request = requestOf(issued);
        if (request !== undefined)
          waiting.push({ n: issued, request, target: issued % lanes.targets, dueMs: now });
      }
      pump();
    }, TICK_MS);
  }).then(() => {
    tally.assertNoneRefused();
    return tally;
  });
}
