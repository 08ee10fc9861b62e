/** What a part of the benchmark answers: rows of the one table. */

export interface Target {
  readonly atLeast?: number;
  readonly atMost?: number;
}

export interface Row {
  readonly part: string;
  readonly name: string;
  readonly unit: string;
  /** One value a round. */
  readonly values: readonly number[];
  readonly target?: Target;
}

export interface PartOptions {
  /** Rounds of everything that is compared; the rounds of what is compared alternate. */
  readonly rounds: number;
  readonly say: (progress: string) => void;
}

export interface Part {
  readonly name: string;
  run(options: PartOptions): Promise<Row[]>;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export function meets({ values, target }: Row): boolean {
  const value = median(values);
  return value >= (target?.atLeast ?? -Infinity) && value <= (target?.atMost ?? Infinity);
}

/** `a` over `b`, round by round: what disturbs the machine disturbs both. */
export function ratios(a: readonly number[], b: readonly number[]): number[] {
  return a.map((value, round) => value / b[round]!);
}

/** Values collected under names, in the order in which the names came up. */
export class Collected {
  private readonly byName = new Map<string, number[]>();

  add(name: string, value: number): void {
    const values = this.byName.get(name);
    if (values) values.push(value);
    else this.byName.set(name, [value]);
  }

  of(name: string): readonly number[] {
    return this.byName.get(name) ?? [];
  }
}
