/** Runs many seeds, and tells of the first that fails how to see it again, and what led to it. */
import type { Figures, SimulationOptions } from './simulation';
import { Simulation, Violation } from './simulation';

const TRACE_LINES = 60;

export interface Sums extends Figures {
  readonly seeds: number;
}

export function runSeeds(base: number, count: number): Sums {
  const ofPeers = { pulls: 0, fullPulls: 0, compares: 0, bytes: 0, convergingUs: 0 };
  const sums = { seeds: 0, virtualUs: 0, steps: 0, facts: 0, ...ofPeers, givenUp: 0 };
  for (let seed = base; seed < base + count; seed++) {
    const violation = violationOf(seed, {}, (figures) => {
      for (const key of Object.keys(figures) as (keyof Figures)[]) sums[key] += figures[key];
    });
    if (violation !== undefined) throw new Error(`${violation}\n${rerunOf(seed, TRACE_LINES)}`);
    sums.seeds++;
  }
  return sums;
}

/** What is wrong with a seed, if anything is. */
export function violationOf(
  seed: number,
  options: SimulationOptions = {},
  onFigures: (figures: Figures) => void = () => undefined,
): string | undefined {
  try {
    onFigures(new Simulation(seed, options).run());
    return undefined;
  } catch (error) {
    if (error instanceof Violation) return error.message;
    throw error;
  }
}

/** The steps of a seed, the last ones only where there are more. */
export function rerunOf(seed: number, mostLines = Infinity): string {
  const lines: string[] = [];
  const violation = violationOf(seed, { trace: (line) => lines.push(line) });
  const [first = '', ...steps] = lines;
  return [first, ...steps.slice(-mostLines), violation ?? 'nothing is wrong'].join('\n');
}
