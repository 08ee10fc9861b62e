/**
 * Compares the states of two replicas by their digests per second of event time.
 *
 * Adds matter until they are E old, deletions until they are E + R old; what is older is on its way out and is not
 * compared.
 */
import { MAX_OWNER_TTL_MS } from '../core/event';
import type { LoadStats, LoadStatsOptions } from '../core/load-stats';
import { secondOf } from '../core/second-lists';
import type { DeletionRaises, SnapshotSelection } from '../core/snapshot';
import type { SecondDigest } from '../core/state-digest';

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

const KINDS = ['adds', 'deletions', 'owned', 'owners'] as const;

/** Of each kind, the second of event time from which on it matters at that time. */
function cutOffsAt(atUs: number, { expireAfterUs, finishedRetentionUs }: LoadStatsOptions) {
  const adds = secondOf(atUs - expireAfterUs);
  const deletionsUs = atUs - expireAfterUs - finishedRetentionUs;
  const owners = secondOf(deletionsUs - 1000 * MAX_OWNER_TTL_MS);
  return { adds, deletions: secondOf(deletionsUs), owned: adds, owners };
}

/** Of what matters at that time. */
export function digestsOf(
  stats: LoadStats,
  atUs: number,
): StateDigests & Record<(typeof KINDS)[number], readonly SecondDigest[]> {
  const since = cutOffsAt(atUs, stats.options);
  return {
    adds: stats.addDigest.since(since.adds),
    deletions: stats.deletionDigest.since(since.deletions),
    owned: stats.ownedDigest.since(since.owned),
    owners: stats.owners.digest.since(since.owners),
    raises: [stats.deletes.raises, stats.promptDeletes.raises],
  };
}

/** Compares the own state with a peer's in what matters at that time, in the kinds that both speak of. */
export function compareDigests(stats: LoadStats, theirs: StateDigests, atUs: number): StateDifference {
  const ours = digestsOf(stats, atUs);
  const since = cutOffsAt(atUs, stats.options);
  const differences = new Map<string, string>();
  const pull = { adds: new Set<number>(), deletions: new Set<number>() };
  // Owners are in every snapshot: there are no seconds of theirs to ask for.
  const pulled = { ...pull, owned: pull.adds, owners: new Set<number>() };
  let items = 0;
  let differing = 0;
  for (const kind of KINDS) {
    const others = theirs[kind];
    if (!others) continue;
    const mine = new Map(ours[kind].map((digest) => [digest.second, textOf(digest)]));
    for (const digest of others) {
      if (digest.second < since[kind]) continue;
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
