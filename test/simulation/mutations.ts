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
import { SeqSet } from '../../src/core/seq-set';
import type { SnapshotSelection } from '../../src/core/snapshot';
import { snapshotLines } from '../../src/core/snapshot';
import { DELETE_ITEM } from '../../src/core/state-digest';
import type { PeerExchangeParts } from '../../src/peers/peer-exchange';
import { PeerExchange } from '../../src/peers/peer-exchange';
import { HeartbeatExchange } from '../../src/replication/heartbeat-exchange';
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
}

const WRONG_ROWS = /the rows of .* are .*, but .* makes/;
const FALSE_CLAIM = /claims the .*, but does not show it/;
const NO_NETS = { compareEveryUs: NEVER_US };

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
  replica: string,
  ready: boolean,
  selection?: SnapshotSelection,
): Generator<string> {
  const since = [stats.deletes.raises, stats.promptDeletes.raises] as const;
  return snapshotLines(stats, context, replica, ready, selection && { ...selection, since });
}

/** The context that a snapshot is worth is taken when its last line is made. */
function cutAtTheEnd(options: ContextOptions): Partial<Parts> {
  const cuts = new Map<string, CausalContext>();
  function* lines(...of: Parameters<typeof snapshotLines>): Generator<string> {
    yield* snapshotLines(...of);
    const [, context, replica] = of;
    cuts.set(replica, CausalContext.fromJSON(context.toJSON(), options));
  }
  class LateCut extends PeerExchange {
    constructor(parts: PeerExchangeParts) {
      super(parts);
      const { antiEntropy } = this;
      const pulled = antiEntropy.pulled.bind(antiEntropy);
      antiEntropy.pulled = (address, merge, nowUs) => {
        if (merge.source) merge.context = cuts.get(merge.source.replica);
        return pulled(address, merge, nowUs);
      };
    }
  }
  return { snapshotLines: lines, PeerExchange: LateCut };
}

/** Compares what a peer with a faster clock may have let expire already. */
class ComparesToTheEnd extends PeerExchange {
  constructor(parts: PeerExchangeParts) {
    super({ ...parts, antiEntropy: { ...parts.antiEntropy, marginUs: 0 } });
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

class KeepsQuiet extends HeartbeatExchange {
  override send(): void {
    return;
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
    parts: () => cutAtTheEnd({ forgetAfterUs: NEVER_US, maxOrigins: 1000, maxIntervals: 1000 }),
    scenario: { ...NO_NETS, snapshotPieceLines: 1, snapshotPieceUs: SECOND / 50 },
    shows: FALSE_CLAIM,
  },
  {
    name: 'what finished between comparison and pull left out of a partial repair (I4)',
    parts: () => ({ snapshotLines: withoutMoved }),
    scenario: { ...NO_NETS, latencyUs: SECOND / 20 },
    shows: FALSE_CLAIM,
  },
  {
    name: 'states compared up to the end of what expires (I1)',
    parts: () => ({ PeerExchange: ComparesToTheEnd }),
    scenario: { compareEveryUs: SECOND / 2, retentionUs: 3 * SECOND, skewUs: 1.4 * SECOND, finishAll: false },
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
    parts: () => ({ HeartbeatExchange: KeepsQuiet }),
    scenario: {
      ...NO_NETS,
      healthEveryUs: NEVER_US,
      giveUpAfterUs: NEVER_US,
      faults: { ...NO_FAULTS, 'bus-loss': 2, 'bus-partition': 2 },
    },
    shows: /has not seen|but the union makes/,
  },
];
