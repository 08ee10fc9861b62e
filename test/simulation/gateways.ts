/**
 * Gateways: lives of requests, reported to any replica, with everything that goes wrong there: resends to another
 * replica, ids used twice or again, deletes that overtake their add or come twice, requests that are never finished.
 */
import { OWNER_LEVEL } from '../../src/core/event';
import type { AddReport } from '../../src/replication/replicator';
import type { Cluster } from './cluster';
import { DialectReplicator } from './dialect';
import { MS, SECOND } from './scenario';
import type { SimulatedProcess } from './simulated-process';

const RESEND_AFTER_US = 100 * MS;
const CLUSTERS = ['llama', 'qwen'];
const TTL_MS = 3_000;

export class Gateways {
  private count = 0;
  private readonly recentIds: string[] = [];
  /** Processes of gateways that renew their leases. */
  readonly living = new Set<string>();

  constructor(
    private readonly cluster: Cluster,
    /** Called right after a report was accepted. */
    private readonly onAccepted: (process: SimulatedProcess) => void,
  ) {}

  /** Plans reports for so long. */
  plan(forUs: number): void {
    const { queue, chance, scenario } = this.cluster;
    const meanUs = SECOND / scenario.requestsPerSecond;
    for (let i = 0; i < scenario.owners; i++) this.planOwner(`gw-${i}`, forUs);
    for (let at = chance.wait(meanUs); at < forUs; at += chance.wait(meanUs)) {
      const leftUs = forUs - at;
      queue.after(at, () => this.live(leftUs));
      if (scenario.dialects && chance.is(0.3)) queue.after(at, () => this.note());
    }
  }

  /** A process of a gateway: it renews its lease, dies or is gone at some time, or is only paused. */
  private planOwner(owner: string, forUs: number): void {
    const { queue, chance } = this.cluster;
    const endUs = chance.is(0.5) ? chance.between(0, forUs) : forUs;
    const gone = chance.is(0.4);
    let pausedUs = chance.is(0.3) ? chance.between(0, endUs) : Infinity;
    for (let at = chance.between(0, SECOND / 2); at < endUs; at += (TTL_MS * MS) / 3) {
      if (at > pausedUs) {
        pausedUs = Infinity;
        queue.after(at, () => this.living.delete(owner));
        at += chance.between(0, 3) * TTL_MS * MS;
        continue;
      }
      queue.after(at, () => this.renew(owner));
    }
    queue.after(endUs, () => {
      this.living.delete(owner);
      if (gone) this.ofOwner(`${owner} is gone`, (process) => process.replicator.endOwner(owner));
    });
  }

  private renew(owner: string): void {
    this.ofOwner(`${owner} renews`, (process) => {
      const result = process.replicator.renewLease(owner, TTL_MS);
      if (process.ready && process.busConnected) this.living.add(owner);
      return result;
    });
  }

  private ofOwner(what: string, send: (process: SimulatedProcess) => string): void {
    this.report((process) => {
      if (process.self.speaks < OWNER_LEVEL) return;
      const before = this.cluster.oracle.facts.length;
      this.check(process, what, send(process), before);
    });
  }

  /** The request still runs. */
  private refresh(report: AddReport): void {
    this.report((process) => {
      const { oracle } = this.cluster;
      const before = oracle.facts.length;
      const prefilled = oracle.isPrefilled(report.requestId, process.knows, process.viewNowUs());
      const result = process.replicator.refresh(ownedBy(report, process));
      const published = oracle.facts.slice(before);
      const add = published.at(-1);
      const [mark] = published;
      const what = `refresh ${report.requestId}`;
      if (mark?.type === 'prompt-delete') this.check(process, what, result, before, 2);
      else this.check(process, what, result, before);
      if (prefilled && add && add.promptLength > 0) throw new Error(`${what} brings the prompt back`);
    });
  }

  /** Some replica that speaks so much publishes what others may not understand. */
  private note(): void {
    const { chance, live } = this.cluster;
    const process = chance.of(live);
    const replicator = process?.replicator;
    if (replicator instanceof DialectReplicator) process!.run(() => replicator.note());
  }

  /** Reports the end of a request to some replica. */
  finish(requestId: string): void {
    this.report((process) => this.delete(process, requestId));
  }

  /** One request's life; what would happen later than `leftUs` from now never does. */
  private live(leftUs: number): void {
    const { queue, chance, scenario } = this.cluster;
    const later = (delayUs: number, action: () => void): void => {
      if (delayUs < leftUs) queue.after(delayUs, action);
    };
    const report = this.draw();
    const { requestId } = report;
    const holdUs = chance.wait(scenario.meanHoldUs);
    const firstTokenUs = holdUs * chance.next();

    this.add(report, chance.is(0.15));
    if (chance.is(0.3)) {
      const everyUs = scenario.expireAfterUs * chance.between(0.1, 0.5);
      for (let at = everyUs; at < 4 * scenario.expireAfterUs; at += everyUs)
        later(at, () => this.refresh(report));
    }
    if (chance.is(0.08)) {
      const conflicting = { ...this.draw(), requestId };
      later(chance.wait(SECOND), () => this.add(conflicting, false));
    }
    if (chance.is(0.6)) {
      const firstToken = (): void => {
        this.report((process) => this.delete(process, requestId, 'promptDelete'));
      };
      later(firstTokenUs, firstToken);
      if (chance.is(0.1)) later(firstTokenUs, firstToken);
    }
    if (chance.is(0.12)) return;
    later(chance.is(0.1) ? 0 : holdUs, () => this.finish(requestId));
    if (chance.is(0.15)) later(holdUs + chance.wait(200 * MS), () => this.finish(requestId));
  }

  private draw(): AddReport {
    const { chance } = this.cluster;
    const again = chance.is(0.15) ? chance.of(this.recentIds) : undefined;
    const requestId = again ?? `request-${this.count++}`;
    if (!again) {
      this.recentIds.push(requestId);
      if (this.recentIds.length > 8) this.recentIds.shift();
    }
    return {
      requestId,
      cluster: chance.of(CLUSTERS)!,
      ip: `10.0.0.${1 + chance.below(3)}`,
      promptLength: chance.below(1000),
      owner:
        this.cluster.scenario.owners > 0 && chance.is(0.6)
          ? `gw-${chance.below(this.cluster.scenario.owners)}`
          : undefined,
      timestampNs: chance.is(0.7) ? BigInt(Math.floor(this.cluster.queue.nowUs)) * 1000n : undefined,
    };
  }

  private add(report: AddReport, resend: boolean): void {
    const add = (process: SimulatedProcess): void => {
      const before = this.cluster.oracle.facts.length;
      const result = process.replicator.add(ownedBy(report, process));
      this.check(process, `add ${report.requestId} on ${report.cluster} ${report.ip}`, result, before);
    };
    const first = this.report(add);
    // No answer in time, or the answer was lost.
    if (resend || first?.paused) this.cluster.queue.after(RESEND_AFTER_US, () => this.report(add));
  }

  private delete(
    process: SimulatedProcess,
    requestId: string,
    kind: 'delete' | 'promptDelete' = 'delete',
  ): void {
    const { oracle } = this.cluster;
    const ended = oracle.liveAdds(requestId, process.knows, process.viewNowUs());
    const before = oracle.facts.length;
    const result = process.replicator[kind](requestId);
    this.check(process, `${kind} ${requestId}`, result, before);
    const fact = oracle.facts[before];
    for (const { timeUs } of fact ? ended : []) {
      if (timeUs > fact!.timeUs)
        throw new Error(`${kind} ${requestId} is stamped earlier than the add it ends`);
    }
  }

  /** To a replica that is ready, mostly. */
  private report(send: (process: SimulatedProcess) => void): SimulatedProcess | undefined {
    const { chance, live } = this.cluster;
    const ready = live.filter((process) => process.ready);
    const target = chance.of(ready.length > 0 && chance.is(0.9) ? ready : live);
    target?.run(() => send(target));
    return target;
  }

  /** What was accepted, and nothing else, has been published. */
  private check(process: SimulatedProcess, what: string, result: string, before: number, most = 1): void {
    const { oracle, trace } = this.cluster;
    const published = oracle.facts.slice(before);
    const fact = published[0];
    trace(process.origin, () => `${what}: ${result}${fact ? ` as ${fact.seq} at ${fact.timeUs}` : ''}`);
    if (published.length !== (result === 'accepted' ? most : 0)) {
      throw new Error(`${what} was ${result}, but ${published.length} events were published`);
    }
    if (fact) this.onAccepted(process);
  }
}

/** One that knows no owners takes none. */
function ownedBy(report: AddReport, { self }: SimulatedProcess): AddReport {
  return self.speaks < OWNER_LEVEL ? { ...report, owner: undefined } : report;
}
