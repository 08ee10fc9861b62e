/** A replica on a bus that keeps what it publishes until the test hands it on. */
import { newFingerprinting } from '../../src/composition/fingerprinting';
import type { Bus } from '../../src/bus/bus';
import { CausalContext } from '../../src/core/causal-context';
import { isOwnerEvent, type LoadEvent, type OwnerEvent } from '../../src/core/event';
import type { LoadStatsOptions } from '../../src/core/load-stats';
import { LoadStats } from '../../src/core/load-stats';
import type { AddReport, ReplicatorOptions } from '../../src/replication/replicator';
import { Replicator } from '../../src/replication/replicator';
import { Republisher } from '../../src/replication/republisher';
import { SPEAKS } from '../../src/repair/protocol';
import { decodeEvent } from '../../src/wire/event-codec';

export const SECOND = 1_000_000;
export const [E, R] = [600 * SECOND, 60 * SECOND];
export const START = 1_700_000_000 * SECOND;
const ROOMY = {
  inFlightCeiling: 100,
  engineCeiling: 100,
  finishedCeiling: 100,
  waitingCeiling: 100,
  ownerCeiling: 100,
  fingerprinting: newFingerprinting(),
};

/** Keeps what was published until the test hands it on. */
class HoldingBus implements Bus {
  connected = true;
  readonly reason = 'under test';
  readonly alone = false;
  readonly sent: Uint8Array[] = [];
  start(): void {
    // Nothing to connect to.
  }
  publish(_subject: string, payload: Uint8Array): boolean {
    this.sent.push(payload);
    return this.connected;
  }
  whenWritten(callback: () => void): void {
    callback();
  }
  stop(): Promise<void> {
    return Promise.resolve();
  }
}

export class Replica {
  readonly bus = new HoldingBus();
  readonly latenciesMs: number[] = [];
  nowUs = START;
  readonly replicator: Replicator;

  constructor(
    origin: string,
    limits: Partial<ReplicatorOptions> = {},
    stats: Partial<LoadStatsOptions> = {},
  ) {
    this.replicator = new Replicator({
      loadStats: new LoadStats({ expireAfterUs: E, finishedRetentionUs: R, ...ROOMY, ...stats }),
      context: new CausalContext({
        forgetAfterUs: 2 * (E + R),
        maxOrigins: 100,
        maxIntervals: 100,
        maxIntervalsInAll: 1000,
        speaks: SPEAKS,
      }),
      bus: this.bus,
      republisher: new Republisher(this.bus),
      nowUs: () => this.nowUs,
      observeLatency: (ms) => this.latenciesMs.push(ms),
      options: {
        origin,
        subjectPrefix: 'metadata-center',
        maxInFlight: 100,
        maxEngines: 100,
        maxOwners: 100,
        ...limits,
      },
    });
  }

  /** What was published and not handed on yet. */
  take(): Uint8Array[] {
    return this.bus.sent.splice(0);
  }

  receive(payloads: readonly Uint8Array[]): void {
    for (const payload of payloads) this.replicator.receive(payload);
  }

  rows(): unknown[] {
    const rows = JSON.parse(this.replicator.loadStats.engines.rowsJson('m')) as {
      ip: string;
      queued_req_num: number;
      prompt_length: number;
    }[];
    return rows.map((row) => [row.ip, row.queued_req_num, row.prompt_length]);
  }
}

export function report(fields: Partial<AddReport> = {}): AddReport {
  return { requestId: 'r', cluster: 'm', ip: '10.0.0.1', promptLength: 5, timestampNs: undefined, ...fields };
}

export function eventOf(payload: Uint8Array): LoadEvent {
  const event = anyEventOf(payload);
  if (isOwnerEvent(event)) throw new Error('an event of an owner');
  return event;
}

export function anyEventOf(payload: Uint8Array): LoadEvent | OwnerEvent {
  const decoded = decodeEvent(payload);
  if (decoded.kind !== 'event') throw new Error('not an event');
  return decoded.event;
}
