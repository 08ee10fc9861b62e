/**
 * How many intervals all origins of a context hold together beyond what each may, and whose they are. Whoever forges
 * events can give each of thousands of origins as many gaps as one may have; only a bound over all of them bounds what
 * a replica keeps, says and goes through.
 */
export interface Holder {
  /** Ascends with the order in which holders became known. */
  readonly number: number;
  excess: number;
}

export class IntervalBudget<H extends Holder> {
  private total = 0;
  /** Those with an excess, the oldest first. */
  private readonly holders: H[] = [];

  get used(): number {
    return this.total;
  }

  set(holder: H, excess: number): void {
    if (excess === holder.excess) return;
    this.total += excess - holder.excess;
    if (holder.excess === 0) this.holders.splice(this.positionOf(holder), 0, holder);
    else if (excess === 0) this.holders.splice(this.positionOf(holder), 1);
    holder.excess = excess;
  }

  /**
   * Whose excess is to go: the newest of those with the least standing (0 or 1), or the one with the largest excess where
   * all have the highest (2).
   */
  victim(standingOf: (holder: H) => number): H | undefined {
    for (const standing of [0, 1]) {
      for (let i = this.holders.length - 1; i >= 0; i--) {
        if (standingOf(this.holders[i]!) === standing) return this.holders[i];
      }
    }
    let largest = this.holders[0];
    for (const holder of this.holders) if (holder.excess > largest!.excess) largest = holder;
    return largest;
  }

  private positionOf(holder: H): number {
    let low = 0;
    let high = this.holders.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.holders[middle]!.number < holder.number) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
