/**
 * When to compare with whom though nothing is known to be missing: some peer now and then, every peer after the bus was
 * lost, one again that seemed to differ, one that says so itself. Times are those of the pace clock.
 */
import type { PeerTable } from './peer-table';

export interface CompareScheduleOptions {
  /** How often to compare with some peer when nothing is known to be missing; spread by ±20 %. */
  readonly compareEveryUs: number;
  /** After the bus has come back, when to compare with every peer. */
  readonly reconnectSweepsUs: readonly number[];
}

export class CompareSchedule {
  private readonly addresses = new Set<string>();
  private nextCompareUs: number;
  private sweepsUs: number[] = [];
  private recheckUs = Infinity;
  private recheckAddress = '';

  constructor(
    private readonly peers: PeerTable,
    private readonly random: () => number,
    private readonly options: CompareScheduleOptions,
  ) {
    this.nextCompareUs = this.afterInterval(0);
  }

  /** Addresses whose time has come; some may be no peers by now. */
  get due(): Iterable<string> {
    return this.addresses;
  }

  done(address: string): void {
    this.addresses.delete(address);
  }

  /** Compares with every peer soon, and again a little later. */
  sweep(paceUs: number): void {
    this.sweepsUs = this.options.reconnectSweepsUs.map((delay) => paceUs + delay);
  }

  soon(address: string): void {
    this.addresses.add(address);
  }

  recheck(address: string, atUs: number): void {
    this.recheckAddress = address;
    this.recheckUs = atUs;
  }

  tick(paceUs: number): void {
    if (this.sweepsUs.length > 0 && this.sweepsUs[0]! <= paceUs) {
      this.sweepsUs.shift();
      for (const address of this.peers.addresses) this.addresses.add(address);
    }
    if (this.recheckUs <= paceUs) {
      this.recheckUs = Infinity;
      this.addresses.add(this.recheckAddress);
    }
    if (this.nextCompareUs <= paceUs) {
      this.nextCompareUs = this.afterInterval(paceUs);
      const peer = this.peers.next();
      if (peer) this.addresses.add(peer.address);
    }
  }

  private afterInterval(paceUs: number): number {
    return paceUs + this.options.compareEveryUs * (0.8 + 0.4 * this.random());
  }
}
