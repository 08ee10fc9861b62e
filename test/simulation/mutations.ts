/**
 * The faults that the design page lists as traps, each put into the real parts on purpose, and the circumstances under
 * which it shows. Safety nets that would hide a fault are off there.
 */
import type { ContextOptions } from '../../src/core/causal-context';
import { CausalContext } from '../../src/core/causal-context';
import { DeletionTimes } from '../../src/core/deletion-times';
import type { Fingerprint } from '../../src/core/fingerprint';
import type { LoadStatsOptions, Outcome, RowName } from '../../src/core/load-stats';
import { LoadStats } from '../../src/core/load-stats';
import { type LeaseTime, type OwnerRecord, Owners } from '../../src/core/owners';
import { SeqSet } from '../../src/core/seq-set';
import type { SnapshotSelection, SnapshotSource } from '../../src/core/snapshot';
import { snapshotLines } from '../../src/core/snapshot';
import { DELETE_ITEM } from '../../src/core/state-digest';
import type { JoiningState } from '../../src/repair/joining';
import type { Command, Input } from '../../src/repair/repair';
import { Repair } from '../../src/repair/repair';
import { LeaseClock } from '../../src/replication/lease-clock';
import { Republisher } from '../../src/replication/republisher';
import { Replicator } from '../../src/replication/replicator';
import type { Scenario } from './scenario';
import { FAULT_KINDS, NEVER_US, SECOND } from './scenario';
import type { Parts } from './simulated-process';

export interface Mutation {
  readonly name: string;
  readonly parts: () => Partial<Parts>;
  readonly scenario: Partial<Scenario>;
  /** How the fault shows. */
  readonly shows: RegExp;
  /** The first that is tried, where few seeds show the fault: one that does. */
  readonly seed?: number;
}

const WRONG_ROWS = /the rows of .* are .*, but .* makes/;
const FALSE_CLAIM = /claims the .*, but does not show it/;
const NO_NETS = { compareEveryUs: NEVER_US };

/** Nobody to ask: what the bus lost is only at its origin and in the stream. */
const ALONE = {
  ...NO_NETS,
  discovery: false,
  stranger: false,
  lostAfterReconnect: 0,
  history: true,
  clockOff: false,
};

const NO_FAULTS = Object.fromEntries(FAULT_KINDS.map((kind) => [kind, 0])) as Scenario['faults'];

class ShortMemory extends LoadStats {
  override readonly deletes: DeletionTimes;

  constructor(options: LoadStatsOptions) {
    super(options);
    this.deletes = new DeletionTimes(
      options.expireAfterUs / 4,
      DELETE_ITEM,
      this.deletionDigest,
      options.fingerprinting,
    );
  }
}

class GivenUpIsSeen extends CausalContext {
  override giveUp(origin: string, seqs: SeqSet): void {
    const bounds = seqs.toJSON();
    for (let i = 0; i < bounds.length; i += 2) {
      for (let seq = bounds[i]!; seq <= bounds[i + 1]!; seq++) this.observe(origin, seq, 0, 0);
    }
  }
}

/** A delete ends the adds that are there, and waits for one; then it is forgotten. */
class EndsWhatIsThere extends LoadStats {
  override mergeDelete(
    id: Fingerprint,
    timeUs: number,
    nowUs: number,
    rows: readonly RowName[] = [],
  ): Outcome {
    const outcome = super.mergeDelete(id, timeUs, nowUs, rows);
    const slot = this.deletes.find(id, nowUs);
    if (outcome === 'applied' && !this.deletes.isWaiting(slot)) this.deletes.remove(slot);
    return outcome;
  }
}

/** A delete covers no add that is later than itself, as a retry elsewhere may be. */
class CoversOnlyEarlier extends LoadStats {
  constructor(options: LoadStatsOptions) {
    super({ ...options, finishedRetentionUs: 1 });
  }
}

function* withoutFinished(...of: Parameters<typeof snapshotLines>): Generator<string> {
  let left = 0;
  for (const line of snapshotLines(...of)) {
    if (line.startsWith('["delete"')) left++;
    else if (line.startsWith('["end"')) yield `["end",${Number(line.slice(7, -1)) - left}]`;
    else yield line;
  }
}

/** What moved on since the comparison is left out of a partial snapshot. */
function withoutMoved(
  stats: LoadStats,
  context: CausalContext,
  source: SnapshotSource,
  selection?: SnapshotSelection,
): Generator<string> {
  const since = [stats.deletes.raises, stats.promptDeletes.raises] as const;
  return snapshotLines(stats, context, source, selection && { ...selection, since });
}

/** The context that a snapshot is worth is taken when its last line is made. */
function cutAtTheEnd(options: ContextOptions): Partial<Parts> {
  const cuts = new Map<string, CausalContext>();
  function* lines(...of: Parameters<typeof snapshotLines>): Generator<string> {
    yield* snapshotLines(...of);
    const [, context, { replica }] = of;
    cuts.set(replica, CausalContext.fromJSON(context.toJSON(), options));
  }
  class LateCut extends Repair {
    override step(input: Input, nowUs: number, monotonicUs: number): Command[] {
      const { source } = input.kind === 'pulled' ? input.merge : {};
      if (input.kind === 'pulled' && source) input.merge.context = cuts.get(source.replica);
      return super.step(input, nowUs, monotonicUs);
    }
  }
  return { snapshotLines: lines, Repair: LateCut };
}

/** Compares what a peer with a faster clock may have let expire already. */
class ComparesToTheEnd extends Repair {
  constructor(...[self, stats, context, random, options]: ConstructorParameters<typeof Repair>) {
    super(self, stats, context, random, { ...options, marginUs: 0 });
  }
}

class ExpiresWithTheWinner extends LoadStats {
  protected override expireAdds(slot: number, untilUs: number, now: number): void {
    const first = this.inFlight.firstOf(slot);
    super.expireAdds(slot, first && first.timeUs <= untilUs ? Infinity : untilUs, now);
  }
}

class ForgetsByArrival extends CausalContext {
  override observe(origin: string, seq: number, _timeUs: number, nowUs: number): boolean {
    return super.observe(origin, seq, nowUs, nowUs);
  }

  override announce(origin: string, highest: number, _timeUs: number, nowUs: number): void {
    super.announce(origin, highest, nowUs, nowUs);
  }

  override announceAll(other: CausalContext, except: string, nowUs: number): void {
    super.announceAll(other, except, nowUs);
    for (const [origin, , highest] of other.announcements()) this.announce(origin, highest, nowUs, nowUs);
  }
}

/** Nobody is told what he has missed: only the side that was cut off, and knows it, looks for something. */
class HearsNothing extends CausalContext {
  override announce(): void {
    return;
  }

  override announceAll(): void {
    return;
  }
}

class ClockGoesBack extends LoadStats {
  override advance(nowUs: number): number {
    return nowUs;
  }
}

class StampsByOwnClock extends Replicator {
  protected override deletionTimeUs(_first: unknown, now: number): number {
    return now;
  }
}

/** A lease is good for what its owner holds: whoever renews has nothing that expires. */
class LeaseLengthens extends LoadStats {
  override mergeOwner(record: OwnerRecord, nowUs: number): Outcome {
    const outcome = super.mergeOwner(record, nowUs);
    const adds = [...(this.owners.find(record.name)?.adds.keys() ?? [])];
    for (const { requestId, timeUs, origin, row, promptLength, timestampNs } of adds) {
      if (record.leaseUs <= timeUs) continue;
      const { cluster, ip } = row;
      const again = { origin: origin.name, cluster, ip, promptLength, timestampNs };
      this.mergeAdd(requestId, { ...again, timeUs: record.leaseUs, owner: record.name }, nowUs);
    }
    return outcome;
  }
}

/** An owner that is gone has nothing that counts, but for what comes later by another clock. */
class GoneWithoutRetention extends LoadStats {
  override readonly owners: Owners;

  constructor(options: LoadStatsOptions) {
    super(options);
    this.owners = new Owners({ ...options, finishedRetentionUs: 0 });
  }
}

class LeasesRunOut extends LeaseClock {
  override at(nowUs: number, ready: boolean): LeaseTime {
    return super.at(nowUs, ready, true);
  }
}

class BringsThePromptBack extends Replicator {
  protected override isPrefilled(): boolean {
    return false;
  }
}

/** A machine some of whose commands are not carried out. */
function without(isLeftOut: (command: Command) => boolean): typeof Repair {
  return class extends Repair {
    override step(input: Input, nowUs: number, monotonicUs: number): Command[] {
      return super.step(input, nowUs, monotonicUs).filter((command) => !isLeftOut(command));
    }
  };
}

function withOptions(changed: Partial<ConstructorParameters<typeof Repair>[4]>): typeof Repair {
  return class extends Repair {
    constructor(...[self, stats, context, random, options]: ConstructorParameters<typeof Repair>) {
      super(self, stats, context, random, { ...options, ...changed });
    }
  };
}

class NeverRepublishes extends Republisher {
  override tick(): void {
    return;
  }
}

/** Whatever comes is seen, whether it was understood or not. */
class ClaimsWhatItCannotRead extends CausalContext {
  override observeLevel(origin: string, seq: number, _level: number, timeUs: number, nowUs: number): boolean {
    return this.observe(origin, seq, timeUs, nowUs);
  }
}

/** It believes nobody who says that an event is above its level. */
class ChasesWhatItCannotRead extends CausalContext {
  override learnLevels(): void {
    return;
  }
}

/** It does not look at the clocks of the others. */
class TrustsItsClock extends Repair {
  override get joining(): JoiningState {
    return this['joiningState'];
  }
}

/** It has caught up when it starts. */
class DoesNotJoin extends Repair {
  constructor(...of: ConstructorParameters<typeof Repair>) {
    super(...of);
    this['joiningState'] = { ready: true, caughtUp: true, reason: 'mutation' };
  }
}

export const MUTATIONS: readonly Mutation[] = [
  {
    name: 'a delete’s memory shorter than the refusal bound (I3)',
    parts: () => ({ LoadStats: ShortMemory }),
    scenario: NO_NETS,
    shows: WRONG_ROWS,
  },
  {
    name: 'a given-up hole marked as seen (I4)',
    parts: () => ({ CausalContext: GivenUpIsSeen }),
    scenario: { ...NO_NETS, giveUpAfterUs: 3 * SECOND },
    seed: 7,
    shows: FALSE_CLAIM,
  },
  {
    name: 'a retry of the same add at a cut-off replica finished elsewhere meanwhile, where a delete ends only what is there (I3)',
    parts: () => ({ LoadStats: EndsWhatIsThere }),
    scenario: NO_NETS,
    shows: WRONG_ROWS,
  },
  {
    name: 'the same, where a delete covers only what is earlier (I3)',
    parts: () => ({ LoadStats: CoversOnlyEarlier }),
    scenario: { ...NO_NETS, skewUs: 0 },
    shows: WRONG_ROWS,
  },
  {
    name: 'finished ids left out of snapshots (I3)',
    parts: () => ({ snapshotLines: withoutFinished }),
    scenario: NO_NETS,
    shows: FALSE_CLAIM,
  },
  {
    name: 'a context cut at the end of the stream (I4)',
    parts: () =>
      cutAtTheEnd({ forgetAfterUs: NEVER_US, maxOrigins: 1000, maxIntervals: 1000, maxIntervalsInAll: 1000 }),
    scenario: { ...NO_NETS, snapshotPieceLines: 1, snapshotPieceUs: SECOND / 50 },
    seed: 21,
    shows: FALSE_CLAIM,
  },
  {
    name: 'what finished between comparison and pull left out of a partial repair (I4)',
    parts: () => ({ snapshotLines: withoutMoved }),
    scenario: { ...NO_NETS, latencyUs: SECOND / 20 },
    seed: 29,
    shows: FALSE_CLAIM,
  },
  {
    name: 'states compared up to the end of what expires (I1)',
    parts: () => ({ Repair: ComparesToTheEnd }),
    scenario: { compareEveryUs: SECOND / 2, retentionUs: 3 * SECOND, skewUs: 1.4 * SECOND, finishAll: false },
    seed: 76,
    shows: /false alarm/,
  },
  {
    name: 'conflicting adds expired by winner (I1)',
    parts: () => ({ LoadStats: ExpiresWithTheWinner }),
    scenario: { ...NO_NETS, finishAll: false },
    shows: WRONG_ROWS,
  },
  {
    name: 'origins forgotten by arrival time (I7)',
    parts: () => ({ CausalContext: ForgetsByArrival }),
    scenario: { ...NO_NETS, untilForgotten: true },
    shows: /still remembers the dead/,
  },
  {
    name: 'a repair pulled only by the side that noticed (I4)',
    parts: () => ({ CausalContext: HearsNothing }),
    scenario: { ...NO_NETS, faults: { ...NO_FAULTS, 'bus-cut': 2 } },
    shows: /has not seen|but the union makes/,
  },
  {
    name: 'the clock stepping back (I3)',
    parts: () => ({ LoadStats: ClockGoesBack }),
    scenario: {
      ...NO_NETS,
      faults: { ...NO_FAULTS, 'clock-step': 8 },
      expireAfterUs: 5 * SECOND,
      retentionUs: 2 * SECOND,
      skewUs: 0.9 * SECOND,
      troubleUs: 16 * SECOND,
    },
    shows: WRONG_ROWS,
  },
  {
    name: 'a slow deleter’s clock (I2)',
    parts: () => ({ Replicator: StampsByOwnClock }),
    scenario: { ...NO_NETS, skewUs: 0.45 * SECOND },
    shows: /is stamped earlier than the add it ends/,
  },
  {
    name: 'no heartbeat, with periodic comparison and health checks off (I4)',
    parts: () => ({ Repair: without(({ kind }) => kind === 'heartbeat') }),
    scenario: {
      ...NO_NETS,
      healthEveryUs: NEVER_US,
      giveUpAfterUs: NEVER_US,
      faults: { ...NO_FAULTS, 'bus-loss': 2, 'bus-partition': 2 },
    },
    shows: /has not seen|but the union makes/,
  },
  {
    name: 'nothing pulled (I4)',
    parts: () => ({ Repair: without(({ kind }) => kind === 'pull') }),
    scenario: NO_NETS,
    shows: /is not ready|has not seen|but the union makes/,
  },
  {
    name: 'nobody compared with for what is missing (I4)',
    parts: () => ({ Repair: withOptions({ graceUs: NEVER_US }) }),
    scenario: NO_NETS,
    shows: /has not seen|but the union makes/,
  },
  {
    name: 'one look before a hole is chased (I7)',
    parts: () => ({ Repair: withOptions({ graceUs: 0 }) }),
    scenario: {
      ...NO_NETS,
      faults: NO_FAULTS,
      lostAfterReconnect: 0,
      latencyUs: SECOND / 10,
      requestsPerSecond: 4,
    },
    seed: 2,
    shows: /compares though nothing was lost/,
  },
  {
    name: 'holes chased for ever (I7)',
    parts: () => ({ Repair: withOptions({ giveUpAfterUs: NEVER_US }) }),
    scenario: { ...NO_NETS, faults: { ...NO_FAULTS, crash: 3, 'bus-cut': 3 } },
    seed: 107,
    shows: /still looks for what is lost/,
  },
  {
    name: 'ready before it has joined (I4)',
    parts: () => ({ Repair: DoesNotJoin }),
    scenario: { ...NO_NETS, faults: { ...NO_FAULTS, join: 3 } },
    shows: /is ready without/,
  },
  {
    name: 'nothing published again (I6)',
    parts: () => ({ Republisher: NeverRepublishes }),
    scenario: { ...ALONE, faults: { ...NO_FAULTS, 'bus-outage': 2 } },
    shows: /has not seen|but the union makes/,
  },
  {
    name: 'the history not replayed for holes (I4)',
    parts: () => ({ Repair: without(({ kind }) => kind === 'replay') }),
    scenario: { ...ALONE, faults: { ...NO_FAULTS, 'bus-loss': 2 } },
    shows: /has not seen|but the union makes|still looks/,
  },
  {
    name: 'a clock that is off (I2)',
    parts: () => ({ Repair: TrustsItsClock }),
    scenario: { replicas: 3, faults: NO_FAULTS, clockOff: true, skewUs: 0, dialects: false },
    shows: /is ready, though its clock is off/,
  },
  {
    name: 'a lease that lengthens (I3, I12)',
    parts: () => ({ LoadStats: LeaseLengthens }),
    scenario: { ...NO_NETS, owners: 2, dialects: false, finishAll: false, faults: NO_FAULTS },
    shows: WRONG_ROWS,
  },
  {
    name: 'gone without R (I14)',
    parts: () => ({ LoadStats: GoneWithoutRetention }),
    scenario: { ...NO_NETS, owners: 3, dialects: false, requestsPerSecond: 4 },
    shows: WRONG_ROWS,
  },
  {
    name: 'the time of leases running while cut off (I13)',
    parts: () => ({ LeaseClock: LeasesRunOut }),
    scenario: { ...NO_NETS, owners: 3, dialects: false, faults: { ...NO_FAULTS, 'bus-cut': 3 } },
    shows: /though it is cut off/,
  },
  {
    name: 'a refresh that brings the prompt back (I2)',
    parts: () => ({ Replicator: BringsThePromptBack }),
    scenario: { ...NO_NETS, dialects: false, requestsPerSecond: 4 },
    shows: /brings the prompt back/,
  },
  {
    name: 'an event claimed that was not understood (I9)',
    parts: () => ({ CausalContext: ClaimsWhatItCannotRead }),
    scenario: { ...NO_NETS, dialects: true, clockOff: false, requestsPerSecond: 4 },
    shows: FALSE_CLAIM,
  },
  {
    name: 'an event chased that cannot be understood (I9)',
    parts: () => ({ CausalContext: ChasesWhatItCannotRead }),
    scenario: {
      ...NO_NETS,
      dialects: true,
      clockOff: false,
      requestsPerSecond: 4,
      faults: { ...NO_FAULTS, 'bus-loss': 2 },
    },
    shows: /while nothing was missing|gave up the note|still looks|claims the note/,
  },
];
