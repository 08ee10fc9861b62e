/**
 * How far this replica's clock is from those of the others, by their heartbeats. Beyond R events are refused, so rows would
 * be wrong: the replica that is alone with its time must not serve. Pure.
 */
export interface ClockView {
  /** How far the own clock is ahead of the others; undefined while nobody is heard. */
  readonly aheadUs: number | undefined;
  /** Further than `toleranceUs`: some of what is reported may soon be refused. */
  readonly off: boolean;
  /** Further than twice that, and it is the own clock that is off: the others agree, or serve while this one starts. */
  readonly alone: boolean;
}

interface Heard {
  /** The latest of them. A delay, or a pause of this process, only adds to it: the least counts. */
  readonly aheadUs: readonly number[];
  readonly ready: boolean;
  readonly atUs: number;
}

const LOOKS = 3;

/** Ten heartbeats. */
const HEARD_FOR_US = 10_000_000;

export class Clocks {
  private readonly heard = new Map<string, Heard>();

  /** `toleranceUs` is R / 2. */
  constructor(private readonly toleranceUs: number) {}

  hear(replica: string, ready: boolean, aheadUs: number, atUs: number): void {
    const before = this.heard.get(replica)?.aheadUs ?? [];
    this.heard.set(replica, { aheadUs: [...before, aheadUs].slice(-LOOKS), ready, atUs });
  }

  /** `serving`: this replica has been ready. */
  view(serving: boolean, atUs: number): ClockView {
    // Those that are gone have no say.
    for (const [replica, { atUs: heardUs }] of this.heard) {
      if (heardUs + HEARD_FOR_US < atUs) this.heard.delete(replica);
    }
    const others = [...this.heard.values()]
      .map(({ ready, aheadUs }) => ({ ready, aheadUs: Math.min(...aheadUs) }))
      .sort((a, b) => a.aheadUs - b.aheadUs);
    if (others.length === 0) return { aheadUs: undefined, off: false, alone: false };
    const aheadUs = medianOf(others.map((other) => other.aheadUs));
    const off = Math.abs(aheadUs) > this.toleranceUs;
    const like = others.filter((other) => Math.abs(other.aheadUs - aheadUs) <= this.toleranceUs);
    const outvoted = like.length >= 2 && 2 * like.length > others.length;
    const isStranger = !serving && like.some(({ ready }) => ready);
    return { aheadUs, off, alone: Math.abs(aheadUs) > 2 * this.toleranceUs && (outvoted || isStranger) };
  }

  /** The replicas whose clocks are further away than `toleranceUs`, with how far this one's is ahead of each. */
  get apart(): [replica: string, aheadUs: number][] {
    const all = [...this.heard].map(([replica, { aheadUs }]): [string, number] => [
      replica,
      Math.min(...aheadUs),
    ]);
    return all.filter(([, aheadUs]) => Math.abs(aheadUs) > this.toleranceUs);
  }
}

/** Of two in the middle the one that is nearer to the own clock. */
function medianOf(sorted: readonly number[]): number {
  const [low, high] = [sorted[(sorted.length - 1) >> 1]!, sorted[sorted.length >> 1]!];
  return Math.abs(low) <= Math.abs(high) ? low : high;
}
