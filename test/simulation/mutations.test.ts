/** Shows that the simulation would notice: it does so for every fault that is known to be easily made. */
import { MUTATIONS } from './mutations';
import { violationOf } from './seeds';

const MOST_SEEDS = 300;

describe('The simulation notices', () => {
  it.each(MUTATIONS)(
    '$name',
    ({ parts, scenario, shows }) => {
      for (let seed = 1; seed <= MOST_SEEDS; seed++) {
        const violation = violationOf(seed, { parts: parts(), scenario });
        if (violation === undefined || !shows.test(violation)) continue;
        expect(violation).toMatch(shows);
        // It is the fault that shows, not the circumstances.
        expect(violationOf(seed, { scenario })).toBeUndefined();
        return;
      }
      throw new Error(`nothing was noticed in ${MOST_SEEDS} seeds`);
    },
    120_000,
  );
});
