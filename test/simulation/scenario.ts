/**
 * What one seed is about: sizes, paces, and which kinds of trouble there are. Drawn so that some seeds are calm but for
 * one fault and others have everything at once.
 */
import type { Chance } from './chance';

export const SECOND = 1_000_000;
export const MS = 1_000;

export interface Scenario {
  readonly replicas: number;
  readonly expireAfterUs: number;
  readonly retentionUs: number;
  /** How long faults and reports last. */
  readonly troubleUs: number;
  readonly requestsPerSecond: number;
  readonly meanHoldUs: number;
  /** Faults per kind and ten seconds; 0 for kinds that do not happen. */
  readonly faults: Readonly<Record<FaultKind, number>>;
  readonly latencyUs: number;
  readonly duplicates: number;
  /** Bound of each clock's distance from the true time. */
  readonly skewUs: number;
  readonly compareEveryUs: number;
  readonly healthEveryUs: number;
  readonly giveUpAfterUs: number;
  readonly snapshotPieceLines: number;
  readonly snapshotPieceUs: number;
  readonly snapshotFailures: number;
  /** Whether discovery also names the replica itself. */
  readonly dnsNamesOwn: boolean;
  /** In the end requests are finished by reports; otherwise what is left expires. */
  readonly finishAll: boolean;
  /** Goes on until dead origins are forgotten. */
  readonly untilForgotten: boolean;
  /** Without a name to look up nobody can be asked: what was not published is published again, and the stream replayed. */
  readonly discovery: boolean;
  /** Messages that may be lost after a reconnect, without a word. */
  readonly lostAfterReconnect: number;
  /** A stream keeps what reached the server. */
  readonly history: boolean;
  /** A replica of another deployment has an address in the name. */
  readonly stranger: boolean;
  /** Processes speak more, or less, as it falls, and restart as any. */
  readonly dialects: boolean;
  /** One clock is off by more than R for a while, in a calm world. */
  readonly clockOff: boolean;
  /** Processes of gateways that say what they hold, and renew their leases. */
  readonly owners: number;
}

export const FAULT_KINDS = [
  'bus-cut',
  'bus-outage',
  'bus-partition',
  'bus-loss',
  'http-partition',
  'crash',
  'join',
  'pause',
  'clock-step',
  'dns-failure',
  'stream-failure',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** Practically never. */
export const NEVER_US = 1e15;

export function drawScenario(chance: Chance): Scenario {
  const expireAfterUs = Math.floor(chance.between(5, 20) * SECOND);
  const retentionUs = Math.floor(chance.between(1, Math.min(3, expireAfterUs / SECOND / 4)) * SECOND);
  const faults = Object.fromEntries(
    FAULT_KINDS.map((kind) => [kind, chance.is(0.4) ? chance.between(0.3, 3) : 0]),
  ) as Record<FaultKind, number>;
  const drawn = {
    replicas: 2 + chance.below(3),
    expireAfterUs,
    retentionUs,
    troubleUs: chance.between(4, 16) * SECOND,
    requestsPerSecond: chance.between(0.5, 4),
    meanHoldUs: chance.between(0.2, 4) * SECOND,
    faults,
    latencyUs: chance.between(0.2, 40) * MS,
    duplicates: chance.is(0.3) ? 0.2 : 0,
    skewUs: chance.is(0.5) ? 0.45 * retentionUs : 0,
    compareEveryUs: chance.is(0.2) ? 5 * SECOND : NEVER_US,
    healthEveryUs: chance.between(1, 4) * SECOND,
    giveUpAfterUs: chance.between(6, 12) * SECOND,
    snapshotPieceLines: 1 + chance.below(20),
    snapshotPieceUs: chance.is(0.5) ? 0 : chance.between(1, 20) * MS,
    snapshotFailures: chance.is(0.3) ? 0.2 : 0,
    dnsNamesOwn: chance.is(0.3),
    finishAll: chance.is(0.5),
    untilForgotten: chance.is(0.1),
    discovery: true,
    lostAfterReconnect: 4,
    history: chance.is(0.3),
    stranger: chance.is(0.2),
    dialects: chance.is(0.25),
    clockOff: false,
    owners: chance.is(0.5) ? 1 + chance.below(3) : 0,
  };
  const calm = Object.fromEntries(FAULT_KINDS.map((kind) => [kind, 0])) as Record<FaultKind, number>;
  if (chance.is(0.05)) {
    return {
      ...drawn,
      replicas: 3 + chance.below(2),
      faults: calm,
      clockOff: true,
      skewUs: 0,
      dialects: false,
    };
  }
  if (chance.is(0.06)) {
    const outages = { ...calm, 'bus-outage': 2, join: faults.join };
    const alone = { discovery: false, stranger: false, lostAfterReconnect: 0, history: true };
    return { ...drawn, ...alone, faults: outages, compareEveryUs: NEVER_US };
  }
  // What half a snapshot brought from a process that crashed then is in no context: only a comparison finds it.
  const onlyComparisonFinds = drawn.snapshotFailures > 0 && faults.crash > 0;
  return onlyComparisonFinds ? { ...drawn, compareEveryUs: 5 * SECOND } : drawn;
}
