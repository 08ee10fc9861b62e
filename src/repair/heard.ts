/**
 * The replicas that were heard lately, by their heartbeats and answers: what each speaks, and how far this replica's clock is
 * from theirs. Beyond R events are refused, so rows would be wrong: the replica that is alone with its time must not serve.
 * Pure.
 */
import type { SignOfLife } from './protocol';

export interface ClockView {
  /** How far the own clock is ahead of the others; undefined while nobody is heard. */
  readonly aheadUs: number | undefined;
  /** Further than `toleranceUs`: some of what is reported may soon be refused. */
  readonly off: boolean;
  /** Further than twice that, and it is the own clock that is off: the others agree, or serve while this one starts. */
  readonly alone: boolean;
}

interface Voice extends Pick<SignOfLife, 'replica' | 'speaks' | 'ready'> {
  /** The latest of them. A delay, or a pause of this process, only adds to it: the least counts. */
  readonly looksUs: readonly number[];
  readonly aheadUs: number;
  readonly atUs: number;
}

const LOOKS = 3;
/** Ten heartbeats. */
const HEARD_FOR_US = 10_000_000;

export class Heard {
  private readonly voices = new Map<string, Voice>();

  constructor(
    /** R / 2. */
    private readonly toleranceUs: number,
    /** Which of them have a say: any replica can be forged. */
    private readonly believes: () => (replica: string) => boolean,
  ) {}

  get replicas(): string[] {
    return [...this.voices.keys()];
  }

  hear({ replica, speaks, ready, timeUs }: SignOfLife, nowUs: number, atUs: number): void {
    const looksUs = [...(this.voices.get(replica)?.looksUs ?? []), nowUs - timeUs].slice(-LOOKS);
    this.voices.set(replica, { replica, speaks, ready, looksUs, aheadUs: Math.min(...looksUs), atUs });
  }

  /** Those that are gone have no say. */
  forget(atUs: number): void {
    for (const [replica, voice] of this.voices) {
      if (voice.atUs + HEARD_FOR_US < atUs) this.voices.delete(replica);
    }
  }

  get believed(): Voice[] {
    const isBelieved = this.believes();
    return [...this.voices.values()].filter(({ replica }) => isBelieved(replica));
  }

  /** `serving`: this replica has been ready. */
  clock(serving: boolean): ClockView {
    const others = this.believed.sort((a, b) => a.aheadUs - b.aheadUs);
    if (others.length === 0) return { aheadUs: undefined, off: false, alone: false };
    const aheadUs = medianOf(others.map((other) => other.aheadUs));
    const off = Math.abs(aheadUs) > this.toleranceUs;
    const like = others.filter((other) => Math.abs(other.aheadUs - aheadUs) <= this.toleranceUs);
    const outvoted = like.length >= 2 && 2 * like.length > others.length;
    const isStranger = !serving && like.some(({ ready }) => ready);
    return { aheadUs, off, alone: Math.abs(aheadUs) > 2 * this.toleranceUs && (outvoted || isStranger) };
  }

  /** The replicas whose clocks are further away than `toleranceUs`. */
  get apart(): Voice[] {
    return this.believed.filter(({ aheadUs }) => Math.abs(aheadUs) > this.toleranceUs);
  }
}

/** Of two in the middle the one that is nearer to the own clock. */
function medianOf(sorted: readonly number[]): number {
  const [low, high] = [sorted[(sorted.length - 1) >> 1]!, sorted[sorted.length >> 1]!];
  return Math.abs(low) <= Math.abs(high) ? low : high;
}
