/** Honest gateways: paced lives over HTTP. A process of its own; says latencies in milliseconds as JSON on stdout. */
import { setPriority } from 'node:os';
import { Lanes, type Target } from '../load/lanes';
import { Lives } from '../load/lives';
import { openLoop } from '../load/open-loop';

export interface Honest {
  readonly targets: readonly Target[];
  readonly perSecond: number;
  readonly durationMs: number;
  /** Ids below are taken. */
  readonly firstNumber: number;
}

export interface HonestLatencies {
  readonly p50: number;
  readonly p99: number;
  /** Of each second. */
  readonly p50s: readonly number[];
  readonly p99s: readonly number[];
}

const LANES = 32;
const STEPS = 4;
/** Between the steps of a request's life. */
const STEP_MS = 400;

async function main({ targets, perSecond, durationMs, firstNumber }: Honest): Promise<HonestLatencies> {
  // Gateways are elsewhere: what they would wait for the forger's core is not what is measured.
  setPriority(-10);
  const lanes = await Lanes.open(targets, LANES);
  const livesPerMs = perSecond / 1000 / STEPS;
  const requestOf = new Lives(firstNumber).overlapping(livesPerMs * durationMs, livesPerMs * STEP_MS);
  const tally = await openLoop(lanes, requestOf, perSecond, durationMs + (STEPS - 1) * STEP_MS);
  lanes.close();
  return {
    p50: tally.percentileMs(0.5),
    p99: tally.percentileMs(0.99),
    p50s: tally.percentilesMs(0.5, perSecond),
    p99s: tally.percentilesMs(0.99, perSecond),
  };
}

if (require.main === module) {
  void main(JSON.parse(process.argv[2]!) as Honest).then((latencies) =>
    process.stdout.write(JSON.stringify(latencies)),
  );
}
