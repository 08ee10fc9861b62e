/** As much as the servers take: each lane sends its next request when the one before has been answered. */
import { type Lanes, Tally } from './lanes';

/** The requests of one lane; undefined ends it. `stopping` asks it to come to an end that leaves nothing half done. */
export type Script = (stopping: boolean) => string | undefined;

export interface ClosedLoopResult {
  readonly tally: Tally;
  /** Answers that came before the lanes were asked to stop, per second. */
  readonly perSecond: number;
}

/** A lane keeps to one target, as a connection that a service has given to a replica does. */
export async function closedLoop(
  lanes: Lanes,
  scriptOf: (lane: number) => Script,
  durationMs: number,
): Promise<ClosedLoopResult> {
  const tally = new Tally();
  const start = performance.now();
  const until = start + durationMs;
  let last = start;
  await Promise.all(
    Array.from({ length: lanes.count }, (_, lane) => {
      const script = scriptOf(lane);
      return new Promise<void>((resolve, reject) => {
        const target = lane % lanes.targets;
        let sent = start;
        const next = (): void => {
          const request = script(sent >= until);
          if (request === undefined) {
            resolve();
            return;
          }
          lanes.connection(lane, target).send(request, answered, reject);
        };
        const answered = (status: number): void => {
          const now = performance.now();
          if (now <= until) {
            tally.answer(status, now - sent);
            last = now;
          } else tally.untimed(status);
          sent = now;
          next();
        };
        sent = performance.now();
        next();
      });
    }),
  );
  tally.assertNoneRefused();
  return { tally, perSecond: (tally.count / (last - start)) * 1000 };
}
