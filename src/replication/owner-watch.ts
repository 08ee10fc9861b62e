/** Looks for gateways' processes that have gone silent, and settles what they hold in slices, so that requests are answered in between. */
import type { LoadStats } from '../core/load-stats';
import { EXPIRY_SLICE } from './expiry-run';
import type { LeaseClock } from './lease-clock';

export const LOOK_EVERY_MS = 250;

export class OwnerWatch {
  private timer: NodeJS.Timeout | undefined;
  private settling = false;

  constructor(
    private readonly stats: LoadStats,
    private readonly clock: LeaseClock,
    private readonly nowUs: () => number,
    private readonly standing: { readonly ready: () => boolean; readonly hears: () => boolean },
  ) {}

  start(): void {
    this.timer = setInterval(() => this.look(), LOOK_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  look(): void {
    const { ready, hears } = this.standing;
    const now = this.stats.advance(this.nowUs());
    this.stats.lookAtOwners(this.clock.at(now, ready(), hears()), now);
    if (!this.settling) this.slice();
  }

  private slice(): void {
    this.settling = this.timer !== undefined && !this.stats.settle(EXPIRY_SLICE, this.nowUs());
    if (this.settling) setImmediate(() => this.slice());
  }
}
