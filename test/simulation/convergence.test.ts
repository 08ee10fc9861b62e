/**
 * Thousands of seeded schedules of trouble on every run, other ones each time. `SIMULATION_SEED=n` runs one of them again
 * and prints its steps; `SIMULATION_SEEDS=100000` makes a long run, `SIMULATION_BASE=n` begins with seed n.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { exitOf, killWithParent } from '../support/child-processes';
import { isFull } from '../support/size';
import { CleanUp } from '../support/clean-up';
import type { Sums } from './seeds';
import { rerunOf } from './seeds';

const SEEDS = Number(process.env['SIMULATION_SEEDS'] ?? (isFull ? 2_000 : 300));
const SEED = process.env['SIMULATION_SEED'];
const MOST_MS_PER_SEED = 500;

const cleanUp = new CleanUp();

afterEach(() => cleanUp.run());

async function runInPlainNode(base: number, count: number): Promise<Sums & { cpuUs: number }> {
  const child = spawn(
    process.execPath,
    ['--max-semi-space-size=32', join(__dirname, 'plain-node.cjs'), String(base), String(count)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  killWithParent(child);
  cleanUp.add(() => child.kill('SIGKILL'));
  const output = await text(child.stdout);
  if ((await exitOf(child)).code !== 0) throw new Error(output);
  return JSON.parse(output) as Sums & { cpuUs: number };
}

describe('Simulated replicas', () => {
  const base = Number(process.env['SIMULATION_BASE'] ?? 1 + Math.floor(Math.random() * 1e9));

  (SEED === undefined ? it : it.skip)(
    `show what the oracle counts (I1–I4), whatever happens: ${SEEDS} seeds`,
    async () => {
      process.stdout.write(`simulation: ${SEEDS} seeds from ${base}\n`);
      const sums = await runInPlainNode(base, SEEDS);
      const [virtualS, cpuS] = [sums.virtualUs, sums.cpuUs].map((us) => (us / 1e6).toFixed(1));
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
