/** How many adds of a cluster this replica accepted lately, and how many it heard from others: each add counts less as it ages. */

/** After this long an add counts 1/e. */
const DECAY_US = 1_000_000;

export class RecentAdds {
  private own = 0;
  private others = 0;
  private atUs = 0;

  accepted(nowUs: number): void {
    this.decayTo(nowUs);
    this.own++;
  }

  heard(nowUs: number): void {
    this.decayTo(nowUs);
    this.others++;
  }

  /** Of all adds those that are this replica's own, the one that is being chosen for among them: above 0, at most 1. */
  ownShare(nowUs: number): number {
    this.decayTo(nowUs);
    const own = this.own + 1;
    return own / (own + this.others);
  }

  private decayTo(nowUs: number): void {
    if (nowUs <= this.atUs) return;
    const left = Math.exp((this.atUs - nowUs) / DECAY_US);
    this.own *= left;
    this.others *= left;
    this.atUs = nowUs;
  }
}
