/**
 * When to compare with whom though nothing is known to be missing: some peer now and then, every peer after the bus was
 * lost, one again that seemed to differ, one that says so itself.
 */
import type { PeerTable } from './peer-table';

export interface CompareScheduleOptions {
  /** How often to compare with some peer when nothing is known to be missing; spread by ±20 %. */
  readonly compareEveryUs: number;
  /** After the bus has come back, when to compare with every peer. */
  readonly reconnectSweepsUs: readonly number[];
}

export class CompareSchedule {
  /** Addresses whose time has come. */
  private readonly due = new Set<string>();
  private nextCompareUs: number;
  private sweepsUs: number[] = [];
  private recheckUs = Infinity;
  private recheckAddress = '';

  constructor(
    private readonly peers: PeerTable,
    private readonly random: () => number,
    private readonly options: CompareScheduleOptions,
    nowUs: number,
  ) {
    this.nextCompareUs = this.afterInterval(nowUs);
  }

  /** Compares with every peer soon, and again a little later. */
  sweep(nowUs: number): void {
    this.sweepsUs = this.options.reconnectSweepsUs.map((delay) => nowUs + delay);
  }

  soon(address: string): void {
    this.due.add(address);
  }

  recheck(address: string, atUs: number): void {
    this.recheckAddress = address;
    this.recheckUs = atUs;
  }

  tick(nowUs: number): void {
    if (this.sweepsUs.length > 0 && this.sweepsUs[0]! <= nowUs) {
      this.sweepsUs.shift();
      for (const address of this.peers.addresses) this.due.add(address);
    }
    if (this.recheckUs <= nowUs) {
      this.recheckUs = Infinity;
      this.due.add(this.recheckAddress);
    }
    if (this.nextCompareUs <= nowUs) {
      this.nextCompareUs = this.afterInterval(nowUs);
      const peer = this.peers.next();
      if (peer) this.due.add(peer.address);
    }
  }

  /** The next address whose time has come, which is then not due any more. It may be no peer by now. */
  take(): string | undefined {
    for (const address of this.due) {
      this.due.delete(address);
      return address;
    }
    return undefined;
  }

  private afterInterval(nowUs: number): number {
    return nowUs + this.options.compareEveryUs * (0.8 + 0.4 * this.random());
  }
}
