/**
 * Compares the states of two replicas by their digests per second of event time.
 *
 * Adds matter until they are E old, deletions until they are E + R old; what is older is on its way out and is not
 * compared.
 */
import { MAX_OWNER_TTL_MS } from '../core/event';
import type { LoadStats } from '../core/load-stats';
import { secondOf } from '../core/second-lists';
import type { DeletionRaises, SnapshotSelection } from '../core/snapshot';
import type { SecondDigest } from '../core/state-digest';

/** The seconds of event time from which on digests are wanted. */
export interface CutOffs {
  readonly addsSince: number;
  readonly deletionsSince: number;
  /** Of leases and of owners that are gone. */
  readonly ownersSince: number;
}

export interface StateDigests {
  readonly adds: readonly SecondDigest[];
  readonly deletions: readonly SecondDigest[];
  /** Whose the adds are, and owners: of level 2. Compared in the lower language of the two. */
  readonly owned?: readonly SecondDigest[] | undefined;
  readonly owners?: readonly SecondDigest[] | undefined;
  /** When they were taken, as the replica that took them counts. */
  readonly raises: DeletionRaises;
}

export interface StateDifference {
  readonly any: boolean;
  /** The seconds in which the other side has something that differs. */
  readonly pull: SnapshotSelection;
  /** Whether that is most of what the other side has, so that a full snapshot is the simpler way. */
  readonly mostly: boolean;
}

export function cutOffsAt(
  nowUs: number,
  { expireAfterUs, finishedRetentionUs }: { expireAfterUs: number; finishedRetentionUs: number },
): CutOffs {
  return {
    addsSince: secondOf(nowUs - expireAfterUs),
    deletionsSince: secondOf(nowUs - expireAfterUs - finishedRetentionUs),
    ownersSince: secondOf(nowUs - expireAfterUs - finishedRetentionUs - 1000 * MAX_OWNER_TTL_MS),
  };
}

export function digestsOf(stats: LoadStats, cutOffs: CutOffs): StateDigests {
  return {
    adds: stats.addDigest.since(cutOffs.addsSince),
    deletions: stats.deletionDigest.since(cutOffs.deletionsSince),
    owned: stats.ownedDigest.since(cutOffs.addsSince),
    owners: stats.owners.digest.since(cutOffs.ownersSince),
    raises: [stats.deletes.raises, stats.promptDeletes.raises],
  };
}

/** Compares what both have from `cutOffs` on. */
export function compareDigests(ours: StateDigests, theirs: StateDigests, cutOffs: CutOffs): StateDifference {
  const adds = compareSeconds(ours.adds, theirs.adds, cutOffs.addsSince);
  const deletions = compareSeconds(ours.deletions, theirs.deletions, cutOffs.deletionsSince);
  const owned = compareSeconds(...ofBoth(ours.owned, theirs.owned), cutOffs.addsSince);
  // Owners are in every snapshot: there are no seconds of theirs to ask for.
  const owners = compareSeconds(...ofBoth(ours.owners, theirs.owners), cutOffs.ownersSince);
  return {
    any: adds.any || deletions.any || owned.any || owners.any,
    pull: {
      adds: [...new Set([...adds.seconds, ...owned.seconds])],
      deletions: deletions.seconds,
      since: theirs.raises,
    },
    mostly: (adds.differing + deletions.differing) * 2 > adds.items + deletions.items,
  };
}

type Seconds = readonly SecondDigest[];
const NONE: Seconds = [];

/** Nothing to compare where one side does not speak of it. */
function ofBoth(ours: Seconds | undefined, theirs: Seconds | undefined): [Seconds, Seconds] {
  return ours && theirs ? [ours, theirs] : [NONE, NONE];
}

/** The seconds in which two sides differ from `cutOffs` on, each with what both have. */
export function differencesOf(
  ours: StateDigests,
  theirs: StateDigests,
  cutOffs: CutOffs,
): Map<string, string> {
  const differences = new Map<string, string>();
  const collect = (kind: keyof DigestsOfKinds, since: number): void => {
    const [own, theirOwn] = ofBoth(ours[kind], theirs[kind]);
    const mine = new Map(own.map((digest) => [digest.second, textOf(digest)]));
    const other = new Map(theirOwn.map((digest) => [digest.second, textOf(digest)]));
    for (const second of new Set([...mine.keys(), ...other.keys()])) {
      const [own = '', peers = ''] = [mine.get(second), other.get(second)];
      if (second >= since && own !== peers) differences.set(`${kind} ${second}`, `${own}|${peers}`);
    }
  };
  collect('adds', cutOffs.addsSince);
  collect('deletions', cutOffs.deletionsSince);
  collect('owned', cutOffs.addsSince);
  collect('owners', cutOffs.ownersSince);
  return differences;
}

type DigestsOfKinds = Pick<StateDigests, 'adds' | 'deletions' | 'owned' | 'owners'>;

function textOf({ count, hi, lo }: SecondDigest): string {
  return `${count},${hi},${lo}`;
}

function compareSeconds(ours: readonly SecondDigest[], theirs: readonly SecondDigest[], since: number) {
  const mine = new Map(ours.filter(({ second }) => second >= since).map((digest) => [digest.second, digest]));
  const seconds: number[] = [];
  let items = 0;
  let differing = 0;
  for (const digest of theirs) {
    if (digest.second < since) continue;
    items += digest.count;
    const own = mine.get(digest.second);
    mine.delete(digest.second);
    if (own && own.count === digest.count && own.hi === digest.hi && own.lo === digest.lo) continue;
    differing += digest.count;
    seconds.push(digest.second);
  }
  // What is left in `mine` the other side has nothing of.
  return { any: seconds.length > 0 || mine.size > 0, seconds, items, differing };
}
