/** Whether the simulation notices a fault that was put in on purpose. */
import type { Mutation } from './mutations';
import { violationOf } from './seeds';

const MOST_SEEDS = 300;

export interface Notice {
  /** What the first seed that shows the fault says; undefined where none does. */
  readonly violation?: string | undefined;
  /** What the same seed says without the fault. */
  readonly without?: string | undefined;
}

export function noticeOf({ parts, scenario, shows }: Mutation): Notice {
  for (let seed = 1; seed <= MOST_SEEDS; seed++) {
    const violation = violationOf(seed, { parts: parts(), scenario });
    if (violation !== undefined && shows.test(violation))
      return { violation, without: violationOf(seed, { scenario }) };
  }
  return {};
}
