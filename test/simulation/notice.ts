/** Whether the simulation notices a fault that was put in on purpose. */
import type { Mutation } from './mutations';
import { violationOf } from './seeds';

const SEEDS = Array.from({ length: 300 }, (_, i) => i + 1);

export interface Notice {
  /** What a seed that shows the fault says; undefined where none does. */
  readonly violation?: string | undefined;
  /** What the same seed says without the fault. */
  readonly without?: string | undefined;
}

export function noticeOf({ parts, scenario, shows, seed: first = 1 }: Mutation): Notice {
  for (const seed of [first, ...SEEDS]) {
    const violation = violationOf(seed, { parts: parts(), scenario });
    if (violation !== undefined && shows.test(violation))
      return { violation, without: violationOf(seed, { scenario }) };
  }
  return {};
}
