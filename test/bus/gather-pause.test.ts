/** How long the bus waits with a write, by a clock and a load that the test sets. */
import { GatherPause } from '../../src/bus/gather-pause';

const MAX_MS = 4;

describe('the pause for which the bus gathers what is published', () => {
  let now = 1_000;
  let busy = 0;
  let asked = 0;
  const make = (): GatherPause => {
    asked = 0;
    return new GatherPause(
      MAX_MS,
      () => now,
      () => {
        asked++;
        return busy;
      },
    );
  };
  /** A pause that has seen a load and written just now. */
  const underLoad = (share: number): GatherPause => {
    const pause = make();
    busy = share;
    now += 250;
    pause.remainingMs();
    pause.wrote();
    return pause;
  };

  it.each([
    [0, 0],
    [0.4, 0],
    [0.5, 2],
    [0.6, 4],
    [1, 4],
  ])('at a busy share of %d is %d ms after a write', (share, expectedMs) => {
    expect(underLoad(share).remainingMs()).toBeCloseTo(expectedMs, 9);
  });

  it('counts from the last write: what comes after a pause does not wait at all', () => {
    const pause = underLoad(1);
    now += 3;
    expect(pause.remainingMs()).toBe(1);
    now += 2;
    expect(pause.remainingMs()).toBe(0);
  });

  it('asks for the load four times a second, however much is published', () => {
    const pause = make();
    busy = 1;
    for (let i = 0; i < 1_000; i++) {
      pause.remainingMs();
      now++;
    }
    expect(asked).toBe(3);
  });

  it('is over soon after the load is', () => {
    const pause = underLoad(1);
    busy = 0;
    now += 250;
    pause.remainingMs();
    pause.wrote();
    expect(pause.remainingMs()).toBe(0);
  });
});
