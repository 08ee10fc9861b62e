/** The trouble of one simulation: planned up front, over at a given time, healed then. */
import type { Cluster } from './cluster';
import type { FaultKind } from './scenario';
import { FAULT_KINDS, MS, SECOND } from './scenario';

export class Faults {
  private over = false;

  constructor(private readonly cluster: Cluster) {}

  plan(): void {
    const { queue, chance, scenario } = this.cluster;
    if (scenario.clockOff) queue.after(chance.between(0, 1) * SECOND, () => this.cluster.setClockOff());
    for (const kind of FAULT_KINDS) {
      const meanUs = (10 * SECOND) / scenario.faults[kind];
      for (let at = chance.wait(meanUs); at < scenario.troubleUs; at += chance.wait(meanUs)) {
        queue.after(at, () => this.strike(kind));
      }
    }
  }

  /** Everything works again; of the dead, some come back. */
  heal(): void {
    this.over = true;
    const { cluster } = this;
    cluster.trace('network', () => 'heals');
    cluster.bus.restoreAll();
    cluster.network.unblockAll();
    cluster.dnsFails = false;
    for (const process of cluster.live) process.resumeNow();
    cluster.setClocksRight();
    for (const { number } of cluster.hosts) if (cluster.chance.is(0.5)) cluster.restart(number);
  }

  private strike(kind: FaultKind): void {
    const { cluster } = this;
    const { bus, chance, hosts } = cluster;
    const host = chance.below(hosts.length);
    const lastsUs = chance.wait(2 * SECOND) + 50 * MS;
    cluster.trace(`host ${host}`, () => `${kind} for ${Math.round(lastsUs / MS)} ms`);
    switch (kind) {
      case 'bus-cut':
        bus.cutLink(host, chance.is(0.5) ? 0 : chance.wait(SECOND));
        this.after(lastsUs, () => bus.restoreLink(host));
        return;
      case 'bus-outage':
        for (const { number } of hosts) {
          bus.cutLink(number, 0);
          this.after(lastsUs, () => bus.restoreLink(number));
        }
        return;
      case 'bus-partition':
        bus.partition(this.groups());
        this.after(lastsUs, () => bus.partition(new Map()));
        return;
      case 'bus-loss':
        bus.lossRate = chance.between(0.02, 0.7);
        this.after(lastsUs, () => {
          bus.lossRate = 0;
        });
        return;
      case 'http-partition':
        this.partitionHttp(lastsUs);
        return;
      case 'crash':
        cluster.crash(host);
        this.after(lastsUs, () => cluster.restart(host));
        return;
      case 'join':
        cluster.join();
        return;
      case 'pause':
        if (cluster.processes[host]!.alive) cluster.processes[host]!.pause(lastsUs);
        return;
      case 'clock-step':
        cluster.stepClock(host);
        return;
      case 'stream-failure':
        bus.stream.failing = true;
        this.after(lastsUs, () => {
          bus.stream.failing = false;
        });
        return;
      case 'dns-failure':
        cluster.dnsFails = true;
        this.after(lastsUs, () => {
          cluster.dnsFails = false;
        });
    }
  }

  private partitionHttp(lastsUs: number): void {
    const { network, hosts } = this.cluster;
    const groups = this.groups();
    for (const { number: from } of hosts) {
      for (const { number: to } of hosts) {
        if (groups.get(from) === groups.get(to)) continue;
        network.block(from, to);
        this.after(lastsUs, () => network.unblock(from, to));
      }
    }
  }

  private groups(): Map<number, number> {
    const { hosts, chance } = this.cluster;
    return new Map(hosts.map(({ number }) => [number, chance.below(2)]));
  }

  private after(delayUs: number, end: () => void): void {
    this.cluster.queue.after(delayUs, () => {
      if (!this.over) end();
    });
  }
}
