/** Seeded draws, in the forms that schedules need. */
import { seededRandom } from '../support/seeded-random';

export class Chance {
  readonly next: () => number;

  constructor(seed: number) {
    this.next = seededRandom(seed);
  }

  /** Uniform between two bounds. */
  between(from: number, to: number): number {
    return from + (to - from) * this.next();
  }

  /** A whole number from 0 to `count - 1`. */
  below(count: number): number {
    return Math.floor(this.next() * count);
  }

  is(probability: number): boolean {
    return this.next() < probability;
  }

  of<T>(list: readonly T[]): T | undefined {
    return list[this.below(list.length)];
  }

  /** Mostly short, now and then long, with the given mean. */
  wait(mean: number): number {
    return -mean * Math.log(1 - this.next());
  }
}
