/**
 * Thousands of seeded schedules of trouble on every run, other ones each time. `SIMULATION_SEED=n` runs one of them again
 * and prints its steps; `SIMULATION_SEEDS=100000` makes a long run, `SIMULATION_BASE=n` begins with seed n.
 */
import { isFull } from '../support/size';
import { CleanUp } from '../support/clean-up';
import { inPlainNode } from './in-plain-node';
import type { Sums } from './seeds';
import { rerunOf } from './seeds';

const SEEDS = Number(process.env['SIMULATION_SEEDS'] ?? (isFull ? 2_000 : 300));
const SEED = process.env['SIMULATION_SEED'];
const MOST_MS_PER_SEED = 500;

const cleanUp = new CleanUp();

afterEach(() => cleanUp.run());

describe('Simulated replicas', () => {
  const base = Number(process.env['SIMULATION_BASE'] ?? 1 + Math.floor(Math.random() * 1e9));

  (SEED === undefined ? it : it.skip)(
    `show what the oracle counts (I1–I4), whatever happens: ${SEEDS} seeds`,
    async () => {
      process.stdout.write(`simulation: ${SEEDS} seeds from ${base}\n`);
      const { result, cpuUs } = await inPlainNode(cleanUp, String(base), String(SEEDS));
      const sums = result as Sums;
      const [virtualS, cpuS] = [sums.virtualUs, cpuUs].map((us) => (us / 1e6).toFixed(1));
      process.stdout.write(
        `simulation: ${virtualS!} s of virtual time in ${cpuS!} s, ${sums.steps} steps, ${sums.facts} events, ` +
          `${sums.compares} comparisons, ${sums.pulls} pulls (${sums.fullPulls} of everything), ${(sums.bytes / 1e6).toFixed(1)} MB, ` +
          `${sums.givenUp} events given up, converged after ${(sums.convergingUs / 1e6 / SEEDS).toFixed(2)} s on average\n`,
      );
      expect(sums.seeds).toBe(SEEDS);
      expect(sums.pulls).toBeGreaterThan(SEEDS);
    },
    60_000 + SEEDS * MOST_MS_PER_SEED,
  );

  it('a seed runs the same again', () => {
    expect(rerunOf(base)).toBe(rerunOf(base));
    expect(rerunOf(base)).not.toBe(rerunOf(base + 1));
  });

  (SEED === undefined ? it.skip : it)(`seed ${SEED ?? ''} runs again`, () => {
    const rerun = rerunOf(Number(SEED));
    process.stdout.write(`${rerun}\n`);
    expect(rerun).toMatch(/nothing is wrong$/);
  });
});
