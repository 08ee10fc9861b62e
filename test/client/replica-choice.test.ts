/** Which replica the client asks: pure, so the times are whatever the test says. */
import fc from 'fast-check';
import { byRendezvous } from '../../src/client/rendezvous';
import { ReplicaChoice } from '../../src/client/replica-choice';
import { equal } from '../support/same';
import { runs } from '../support/size';

const addresses = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `http://10.0.0.${i + 1}:8080`);
const NONE: ReadonlySet<string> = new Set();
const TRIAL_MS = 100;

function choiceOf(count: number): ReplicaChoice {
  const choice = new ReplicaChoice(TRIAL_MS);
  choice.replace(addresses(count));
  return choice;
}

describe('the order of replicas for a key', () => {
  it('does not depend on the order in which they are known, and moves only the keys of one that goes', () => {
    const some = fc.uniqueArray(fc.ipV4(), { minLength: 1, maxLength: 8 });
    const property = fc.property(some, fc.string(), fc.nat(), (known, key, n) => {
      const order = byRendezvous(known, key);
      equal([...order].sort(), [...known].sort());
      equal(byRendezvous([...known].reverse(), key), order);
      const gone = known[n % known.length]!;
      const left = known.filter((address) => address !== gone);
      equal(
        byRendezvous(left, key),
        order.filter((address) => address !== gone),
      );
    });
    fc.assert(property, { numRuns: runs(2_000) });
  });

  it('gives each of them its share of the clusters', () => {
    const homes = new Map<string, number>();
    for (let i = 0; i < 3_000; i++) {
      const [home] = byRendezvous(addresses(3), `model-${i}`);
      homes.set(home!, (homes.get(home!) ?? 0) + 1);
    }
    expect([...homes.keys()].sort()).toEqual(addresses(3));
    for (const share of homes.values()) expect(Math.abs(share - 1_000)).toBeLessThan(150);
  });
});

describe('the choice of a replica', () => {
  it('is the home, and the next one for each that was tried', () => {
    const choice = choiceOf(3);
    const order = byRendezvous(addresses(3), 'm');
    expect(choice.pick('m', NONE, 0)).toBe(order[0]);
    expect(choice.pick('m', new Set([order[0]!]), 0)).toBe(order[1]);
    expect(choice.pick('m', new Set(order.slice(0, 2)), 0)).toBe(order[2]);
    expect(choice.pick('m', new Set(order), 0)).toBe(order[0]);
    expect(choice.home(order[2]!)).toBe(order[2]);
    expect(new ReplicaChoice(TRIAL_MS).pick('m', NONE, 0)).toBeUndefined();
  });

  it('passes over one that failed for 0.1 s, and twice as long each time, up to 5 s', () => {
    const choice = choiceOf(2);
    const [home, other] = byRendezvous(addresses(2), 'm') as [string, string];
    let nowMs = 0;
    const rests: number[] = [];
    for (let failure = 0; failure < 8; failure++) {
      choice.failed(home, nowMs);
      let restMs = 0;
      while (choice.pick('m', NONE, nowMs + restMs) === other) restMs += 100;
      rests.push(restMs);
      nowMs += restMs;
    }
    expect(rests).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
    choice.answered(home);
    choice.failed(home, nowMs);
    expect(choice.pick('m', NONE, nowMs + 99)).toBe(other);
    expect(choice.pick('m', NONE, nowMs + 100)).toBe(home);
  });

  it('lets one call try a replica whose rest is over, while the others go on passing over it', () => {
    const choice = choiceOf(2);
    const [home, other] = byRendezvous(addresses(2), 'm') as [string, string];
    choice.failed(home, 0);
    expect(choice.pick('m', NONE, 100)).toBe(home);
    expect(choice.pick('m', NONE, 100)).toBe(other);
    expect(choice.pick('m', NONE, 100 + TRIAL_MS - 1)).toBe(other);
    expect(choice.pick('m', NONE, 100 + TRIAL_MS)).toBe(home);
  });

  it('is one that rests where all do, and the pause until then is known', () => {
    const choice = choiceOf(2);
    for (const address of addresses(2)) choice.failed(address, 0);
    expect(choice.pick('m', NONE, 50)).toBe(byRendezvous(addresses(2), 'm')[0]);
    expect(choice.pauseMs(40)).toBe(60);
    choice.answered(addresses(2)[0]!);
    expect(choice.pauseMs(40)).toBe(0);
  });

  it('forgets the failures of an address that is gone', () => {
    const choice = choiceOf(2);
    const [home] = byRendezvous(addresses(2), 'm') as [string, string];
    choice.failed(home, 0);
    choice.replace(addresses(2).filter((address) => address !== home));
    expect(choice.pick('m', NONE, 0)).not.toBe(home);
    choice.replace(addresses(2));
    expect(choice.pick('m', NONE, 0)).toBe(home);
  });
});
