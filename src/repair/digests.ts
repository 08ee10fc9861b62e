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
  /** By kind and second, what each side has. */
  readonly differences: Map<string, string>;
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

const SINCE = {
  adds: 'addsSince',
  deletions: 'deletionsSince',
  owned: 'addsSince',
  owners: 'ownersSince',
} as const;

/** Compares what both have from `cutOffs` on, in the kinds that both speak of. */
export function compareDigests(ours: StateDigests, theirs: StateDigests, cutOffs: CutOffs): StateDifference {
  const differences = new Map<string, string>();
  const pull = { adds: new Set<number>(), deletions: new Set<number>() };
  // Owners are in every snapshot: there are no seconds of theirs to ask for.
  const pulled = { ...pull, owned: pull.adds, owners: new Set<number>() };
  let items = 0;
  let differing = 0;
  for (const kind of Object.keys(SINCE) as (keyof typeof SINCE)[]) {
    const [own, others] = [ours[kind], theirs[kind]];
    if (!own || !others) continue;
    const isCompared = ({ second }: SecondDigest): boolean => second >= cutOffs[SINCE[kind]];
    const mine = new Map(own.filter(isCompared).map((digest) => [digest.second, textOf(digest)]));
    for (const digest of others.filter(isCompared)) {
      const { second, count } = digest;
      const [here = '', there] = [mine.get(second), textOf(digest)];
      mine.delete(second);
      items += count;
      if (here === there) continue;
      differing += count;
      differences.set(`${kind} ${second}`, `${here}|${there}`);
      pulled[kind].add(second);
    }
    // What is left in `mine` the other side has nothing of.
    for (const [second, here] of mine) differences.set(`${kind} ${second}`, `${here}|`);
  }
  return {
    differences,
    pull: { adds: [...pull.adds], deletions: [...pull.deletions], since: theirs.raises },
    mostly: differing * 2 > items,
  };
}

function textOf({ count, hi, lo }: SecondDigest): string {
  return `${count},${hi},${lo}`;
}
