/**
 * The time by which leases run out. It stands still while the replica may not hear of renewals, so that it does not drop what
 * gateways hold that renew elsewhere; when it goes on, every gateway has a ttl to be heard in. Pure: time is an argument.
 */
import type { LeaseTime } from '../core/owners';

/** Looks are a quarter of a second apart: after a longer pause of the process renewals may still wait in its socket. */
const MAX_GAP_US = 1_000_000;

export class LeaseClock {
  private nowUs = -Infinity;
  private heardSinceUs = -Infinity;
  private lookedUs = -Infinity;
  /** Whether nothing was missed since it caught up. */
  private heard = true;

  /** `ready`: it has caught up. `hears`: renewals that others take come here at present. */
  at(nowUs: number, ready: boolean, hears: boolean): LeaseTime {
    const began = this.nowUs !== -Infinity;
    const paused = began && nowUs > this.lookedUs + MAX_GAP_US;
    this.lookedUs = nowUs;
    if (ready && hears) {
      if (paused || !this.heard) this.heardSinceUs = nowUs;
      this.nowUs = Math.max(this.nowUs, nowUs);
      this.heard = true;
    } else if (ready || began) {
      this.heard = false;
    }
    return { nowUs: this.nowUs, heardSinceUs: this.heardSinceUs };
  }
}
