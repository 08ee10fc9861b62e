/** A short demonstration with everything real but the engines. */
import { join } from 'node:path';
import { Demo } from '../../bench/demo/demo';
import { Random } from '../../bench/demo/random';
import { ReplicaSet } from '../../bench/demo/replica-set';
import { mean, percentile, progressLine, resultTable } from '../../bench/demo/report';

const MAIN = join(__dirname, '../../dist/main.js');

let replicas: ReplicaSet | undefined;

afterEach(async () => {
  await replicas?.stop();
  replicas = undefined;
});

const ignored = (): void => undefined;
const options = { engines: 8, rate: 20, seed: 7 };

describe('the demo', () => {
  it('ends with no drift at any replica, though one was killed and came back (I1, I2, I4)', async () => {
    replicas = await ReplicaSet.start(3, MAIN);
    const demo = new Demo(replicas, { ...options, seconds: 12, killEverySeconds: 4 }, () =>
      performance.now(),
    );
    const lines: string[] = [];
    const said: string[] = [];
    const result = await demo.run(
      (left) => lines.push(progressLine(replicas!, demo.fleets, left)),
      (text) => said.push(text),
    );
    expect(result.kills).toBeGreaterThan(0);
    expect(result.drifts).toEqual(Array.from({ length: 3 }, () => ({ requests: 0, promptTokens: 0 })));
    for (const fleet of result.fleets) expect(fleet.started).toBeGreaterThan(50);
    // A fleet that routes well may be idle at that moment.
    expect(result.fleets.some(({ inFlight }) => inFlight > 0)).toBe(true);
    expect(lines.some((line) => line.includes('○'))).toBe(true);
    expect(said).toHaveLength(2 * result.kills);
    expect(said[0]).toMatch(/^killed http:.* for 3 s: look at http:/);
    expect(said[1]).toMatch(/^started http:.* again/);
    expect(resultTable(result, ['a', 'b', 'c'])).toMatch(
      /mean \| +p99 .*select .*best of 4 .*round robin .*random /s,
    );
  });

  it('ends with its table when it is stopped early', async () => {
    replicas = await ReplicaSet.start(3, MAIN);
    const demo = new Demo(replicas, { ...options, seconds: 600, killEverySeconds: 60 }, () =>
      performance.now(),
    );
    const { drifts } = await demo.run((left) => {
      if (left < 598) demo.stop();
    }, ignored);
    expect(drifts).toHaveLength(3);
    for (const drift of drifts) expect(drift).toEqual({ requests: 0, promptTokens: 0 });
  });
});

describe('the parts of the demo', () => {
  it('draw the same numbers from the same seed', () => {
    const draw = (seed: number): number[] => {
      const random = new Random(seed);
      return [random.next(), random.below(10), random.exponential(5), random.skewed(100)];
    };
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
  });

  it('have arrivals and prompts of the mean that was asked for', () => {
    const random = new Random(3);
    const drawn = (next: () => number): number => mean(Array.from({ length: 20_000 }, next));
    expect(drawn(() => random.exponential(5))).toBeCloseTo(5, 0);
    expect(drawn(() => random.skewed(1_000)) / 1_000).toBeCloseTo(1, 1);
  });

  it('take means and percentiles from what there is', () => {
    expect(mean([3, 1, 2])).toBe(2);
    expect(mean([])).toBeNaN();
    expect(percentile([3, 1, 2], 0.5)).toBe(2);
    expect(percentile([3, 1, 2], 0.99)).toBe(3);
    expect(percentile([], 0.5)).toBeNaN();
  });
});
