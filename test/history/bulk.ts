/** Many requests in flight at once, in all the states that a request can be in. */
import type { Workload } from '../convergence/workload';

const LANES = 24;

export interface Bulk {
  /** Ids of requests that have finished. */
  readonly finished: readonly string[];
}

/** Leaves `inFlight` requests in flight: one in five more has finished, one in three of them is past its prefill. */
export async function fill(load: Workload, inFlight: number): Promise<Bulk> {
  const finished: string[] = [];
  let left = Math.round(inFlight * 1.25);
  const lane = async (): Promise<void> => {
    while (left-- > 0) {
      const n = left;
      const live = await load.add();
      if (n % 3 === 0) await load.prefill(live);
      if (n % 5 !== 0) continue;
      await load.finish(live);
      finished.push(live.id);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return { finished };
}
