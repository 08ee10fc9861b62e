/**
 * Applies, publishes and receives: the way of every event into the view. (What a repair pulls from a peer is merged by
 * `SnapshotMerge`.)
 *
 * A report is checked against the view, stamped with a dot and a time, applied to the replica's own view and published,
 * all in one synchronous step, so that the answer that follows is read-your-writes (I5). It waits until the event is written
 * to a connected bus, and for nothing where there is none (I6). Everyone else's events come from the subscription and
 * pass through `receive`.
 */
import type { Bus } from '../bus/bus';
import type { CausalContext } from '../core/causal-context';
import type { EventType, LoadEvent, OwnerEvent } from '../core/event';
import { isOwnerEvent, OWNER_LEVEL, ownerOriginOf } from '../core/event';
import type { Add } from '../core/in-flight';
import type { LoadStats, Outcome, RequestStatus } from '../core/load-stats';
import { SPEAKS } from '../repair/protocol';
import type { InvalidReason } from '../wire/event-codec';
import { encodeEvent } from '../wire/event-codec';
import { EventReader } from '../wire/event-reader';
import { subjectOf } from '../wire/subjects';
import type { Republisher } from './republisher';

export interface AddReport {
  readonly requestId: string;
  readonly cluster: string;
  readonly ip: string;
  readonly promptLength: number;
  readonly timestampNs: bigint | undefined;
  /** The gateway's process that holds the request, if it says so. */
  readonly owner?: string | undefined;
}

/** A limit is reached. */
type FullResult = 'too-many-in-flight' | 'too-many-engines' | 'too-many-finished' | 'too-many-owners';

export type AddResult =
  | 'accepted'
  | 'resend'
  | 'duplicate'
  /** The same id and timestamp, but another cluster or engine: a retry elsewhere under the old id. */
  | 'moved'
  | FullResult;
export type DeleteResult = 'accepted' | 'already-deleted' | 'too-many-finished';

/** A request that still runs. Cluster and engine are for a replica that does not know it. */
export interface RefreshReport extends Omit<AddReport, 'cluster' | 'ip'> {
  readonly cluster: string | undefined;
  readonly ip: string | undefined;
}

/** Of a lease that is renewed, and of an owner that is gone. */
export type OwnerResult = 'accepted' | 'too-many-owners';

export type RefreshResult =
  | 'accepted'
  /** Its newest add is so young that nothing was to be done. */
  | 'fresh'
  | 'already-deleted'
  /** In flight nowhere, and not said where it runs. */
  | 'unknown'
  | FullResult;

export type DropReason = InvalidReason | Exclude<Outcome, 'applied'> | 'heartbeat';

/** Beyond so many adds of an id in flight a refresh waits longer. */
const MAX_REFRESHED_ADDS = 5;

export interface ReplicatorOptions {
  /** A new random id at each process start. */
  readonly origin: string;
  readonly subjectPrefix: string;
  /** Limits for reports over HTTP; what the bus brings is limited by the view's own ceilings. */
  readonly maxInFlight: number;
  readonly maxEngines: number;
  readonly maxOwners: number;
}

/** What the replicator works with, and how. */
export interface ReplicatorParts {
  readonly loadStats: LoadStats;
  readonly context: CausalContext;
  readonly bus: Bus;
  readonly republisher: Republisher;
  readonly nowUs: () => number;
  readonly observeLatency: (ms: number) => void;
  readonly options: ReplicatorOptions;
}

const noneOfEach = (): Record<EventType, number> => ({
  add: 0,
  'prompt-delete': 0,
  delete: 0,
  owner: 0,
  'owner-gone': 0,
});

/** Counts what passes through; read by the metrics at scrape time. */
export class ReplicatorCounts {
  readonly published = noneOfEach();
  readonly unpublished = noneOfEach();
  /** Of the unpublished, and heartbeats: no bus with this limit will ever take them. */
  readonly tooLarge = { ...noneOfEach(), heartbeat: 0 };
  readonly received = noneOfEach();
  /** Own events that came back, events of a later version or an unknown type. */
  own = 0;
  unknown = 0;
  /** Refreshes that were taken, whether or not they took an event. */
  refreshed = 0;
  readonly dropped = new Map<DropReason, number>();
  /** Reports over HTTP that found a limit reached. */
  readonly refused = {
    'too-many-in-flight': 0,
    'too-many-engines': 0,
    'too-many-finished': 0,
    'too-many-owners': 0,
  };

  drop(reason: DropReason): void {
    this.dropped.set(reason, (this.dropped.get(reason) ?? 0) + 1);
  }
}

/** Origins whose clocks are shown: more than a deployment has replicas, and no more than a scrape takes easily. */
export const MAX_CLOCKS = 64;

export class Replicator {
  readonly loadStats: LoadStats;
  readonly context: CausalContext;
  private readonly bus: Bus;
  private readonly republisher: Republisher;
  private readonly nowUs: () => number;
  private readonly observeLatency: (ms: number) => void;
  private readonly options: ReplicatorOptions;
  readonly counts = new ReplicatorCounts();
  /** Arrival minus event time of each other origin's latest event, microseconds; of `MAX_CLOCKS` origins at the most. */
  readonly clockDifferencesUs = new Map<string, number>();
  private readonly subjects: Readonly<Record<EventType, string>>;
  private readonly ownerOrigin: string;
  private readonly reader = new EventReader();
  private lastSeq = 0;
  private lastOwnerSeq = 0;
  private lastAddUs = 0;

  constructor({ loadStats, context, bus, republisher, nowUs, observeLatency, options }: ReplicatorParts) {
    this.loadStats = loadStats;
    this.context = context;
    this.bus = bus;
    this.republisher = republisher;
    this.nowUs = nowUs;
    this.observeLatency = observeLatency;
    this.options = options;
    const { subjectPrefix } = options;
    this.subjects = {
      add: subjectOf(subjectPrefix, 'add'),
      'prompt-delete': subjectOf(subjectPrefix, 'prompt-delete'),
      delete: subjectOf(subjectPrefix, 'delete'),
      owner: subjectOf(subjectPrefix, 'owner'),
      'owner-gone': subjectOf(subjectPrefix, 'owner-gone'),
    };
    this.ownerOrigin = ownerOriginOf(options.origin);
    // Before any other origin can take the last place.
    context.announce(options.origin, 0, nowUs(), nowUs());
  }

  get origin(): string {
    return this.options.origin;
  }

  /** The highest seq that this replica has used. */
  get highestSeq(): number {
    return this.lastSeq;
  }

  add(report: AddReport): AddResult {
    const { loadStats } = this;
    const now = this.now();
    const status = loadStats.statusOf(report.requestId, now);
    if (status.add) {
      let moved = false;
      for (let add: typeof status.add | undefined = status.add; add; add = add.next) {
        if (add.timestampNs === undefined || add.timestampNs !== report.timestampNs) continue;
        if (add.row.ip === report.ip && add.row.cluster === report.cluster) return 'resend';
        moved = true;
      }
      return moved ? 'moved' : 'duplicate';
    }
    if (this.isLateAdd(status, now)) return 'duplicate';
    const full = this.refuseForWantOfRoom(report);
    if (full) return full;
    const result = this.commitAdd(report, this.nextAddUs(now), now);
    if (result === 'accepted') loadStats.engines.model(report.cluster)?.recentAdds.accepted(now);
    return result;
  }

  /** The request still runs: a further, later add of its id, so that the merge of adds does the rest. */
  refresh(report: RefreshReport): RefreshResult {
    const now = this.now();
    const status = this.loadStats.statusOf(report.requestId, now);
    const { add: first } = status;
    if (!first && status.deletedUs !== undefined) return 'already-deleted';
    let result: RefreshResult = 'fresh';
    if (first) {
      if (this.isRefreshDue(first, report.owner, now)) {
        const runs = asItRuns(first);
        result = this.commitRefresh({ ...runs, owner: report.owner ?? runs.owner }, status, now);
      }
    } else {
      const { cluster, ip } = report;
      if (cluster === undefined || ip === undefined) return 'unknown';
      const taken = { ...report, cluster, ip };
      result = this.refuseForWantOfRoom(taken) ?? this.commitRefresh(taken, status, now);
    }
    if (result === 'accepted' || result === 'fresh') this.counts.refreshed++;
    return result;
  }

  /** Bounds what refreshes of one id can make of events and of adds, wherever they come in. */
  private isRefreshDue(first: Add, owner: string | undefined, now: number): boolean {
    const { expireAfterUs } = this.loadStats.options;
    let adds = 0;
    let newestUs = 0;
    let isItsOwn = owner === undefined;
    for (let add: Add | undefined = first; add; add = add.next) {
      adds++;
      newestUs = add.timeUs;
      isItsOwn ||= add.owner?.name === owner;
    }
    // Another process has taken the request over.
    if (!isItsOwn && adds < MAX_REFRESHED_ADDS) return true;
    const ageUs = now - newestUs;
    // Adds that conflict may be too many and of one age: they must not let the request expire together.
    return ageUs >= expireAfterUs / 4 && (adds < MAX_REFRESHED_ADDS || ageUs >= expireAfterUs / 2);
  }

  /** What is known to be prefilled stays so, also where the prompt-delete is too old to cover the new add. */
  private commitRefresh(report: AddReport, status: RequestStatus, now: number): 'accepted' | FullResult {
    const timeUs = this.nextAddUs(now);
    if (!this.isPrefilled(status)) return this.commitAdd(report, timeUs, now);
    const { requestId } = report;
    if (timeUs > status.promptDeletedUs! + this.loadStats.options.finishedRetentionUs) {
      const { origin } = this;
      this.commit({ type: 'prompt-delete', origin, seq: this.lastSeq + 1, timeUs, requestId }, now);
    }
    return this.commitAdd({ ...report, promptLength: 0 }, timeUs, now);
  }

  protected isPrefilled({ add, promptDeletedUs }: RequestStatus): boolean {
    if (promptDeletedUs === undefined) return false;
    return !add || add.timeUs <= promptDeletedUs + this.loadStats.options.finishedRetentionUs;
  }

  private refuseForWantOfRoom({ cluster, ip, owner }: AddReport): FullResult | undefined {
    const { loadStats, options } = this;
    if (loadStats.inFlight.size >= options.maxInFlight) return this.refuse('too-many-in-flight');
    if (
      loadStats.engines.listedCount >= options.maxEngines &&
      loadStats.engines.find(cluster, ip)?.listed !== true
    ) {
      return this.refuse('too-many-engines');
    }
    return owner === undefined || this.hasRoomFor(owner) ? undefined : this.refuse('too-many-owners');
  }

  private hasRoomFor(owner: string): boolean {
    return this.loadStats.owners.hasRoomFor(owner, this.options.maxOwners);
  }

  /** Add times of one origin ascend strictly, so that `(t, origin)` is unique. */
  private nextAddUs(now: number): number {
    return Math.max(now, this.lastAddUs + 1);
  }

  private commitAdd(report: AddReport, timeUs: number, now: number): 'accepted' | FullResult {
    const { origin } = this.options;
    const { requestId, cluster, ip, promptLength, timestampNs, owner } = report;
    const event: LoadEvent = {
      type: 'add',
      origin,
      seq: this.lastSeq + 1,
      timeUs,
      requestId,
      cluster,
      ip,
      promptLength,
      timestampNs,
      owner,
    };
    const outcome = this.commit(event, now);
    if (outcome === 'owner-ceiling') return this.refuse('too-many-owners');
    if (outcome === 'engine-ceiling') return this.refuse('too-many-engines');
    if (outcome === 'finished-ceiling') return this.refuse('too-many-finished');
    if (outcome !== 'applied') return this.refuse('too-many-in-flight');
    this.lastAddUs = timeUs;
    return 'accepted';
  }

  /** The gateway's process lives. */
  renewLease(owner: string, ttlMs: number): OwnerResult {
    if (!this.hasRoomFor(owner)) return this.refuse('too-many-owners');
    const now = this.now();
    const { ownerOrigin: origin, lastOwnerSeq } = this;
    return this.commitOwner({ type: 'owner', origin, seq: lastOwnerSeq + 1, timeUs: now, owner, ttlMs }, now);
  }

  /** The gateway's process is gone for good: what it holds, and what is still under way from it, counts no more. */
  endOwner(owner: string): OwnerResult {
    if (!this.hasRoomFor(owner)) return this.refuse('too-many-owners');
    const now = this.now();
    const { ownerOrigin: origin, lastOwnerSeq } = this;
    // No earlier than what is known of it: a clock that is behind must not leave its requests in flight.
    const timeUs = Math.max(now, this.loadStats.owners.find(owner)?.lastSignUs ?? 0);
    return this.commitOwner({ type: 'owner-gone', origin, seq: lastOwnerSeq + 1, timeUs, owner }, now);
  }

  /** Whether an add of an id that is in flight nowhere is a copy of one that was deleted a short time ago. */
  isLateAdd({ deleteWaits, deletedUs }: RequestStatus, now: number): boolean {
    return !deleteWaits && this.isLateCopy(deletedUs, now);
  }

  promptDelete(requestId: string): DeleteResult {
    const now = this.now();
    const { add, deletedUs, promptDeletedUs } = this.loadStats.statusOf(requestId, now);
    const { finishedRetentionUs } = this.loadStats.options;
    const already = add
      ? promptDeletedUs !== undefined && add.timeUs <= promptDeletedUs + finishedRetentionUs
      : this.isLateCopy(deletedUs, now) || this.isLateCopy(promptDeletedUs, now);
    if (already) return 'already-deleted';
    return this.commitDeletion('prompt-delete', requestId, add, now);
  }

  delete(requestId: string): DeleteResult {
    const now = this.now();
    const { add, deletedUs } = this.loadStats.statusOf(requestId, now);
    if (!add && this.isLateCopy(deletedUs, now)) return 'already-deleted';
    return this.commitDeletion('delete', requestId, add, now);
  }

  /** Calls back when what was published before has left the process, so that not even kill -9 takes it back. */
  whenPublished(callback: () => void): void {
    this.bus.whenWritten(callback);
  }

  /**
   * Takes a message of the load subjects; whatever it holds, it never throws. A replayed one changes the view just as a
   * live one does, but its age tells nothing about latency or clocks, and that it has expired is nothing to count.
   */
  receive(payload: Uint8Array, way: 'live' | 'replay' = 'live'): void {
    const decoded = this.reader.read(payload);
    if (decoded.kind === 'invalid') {
      this.counts.drop(decoded.reason);
      return;
    }
    const now = this.now();
    if (decoded.kind === 'unknown') {
      this.counts.unknown++;
      const { origin, seq } = decoded.dot;
      // It can't be shown by this view, so it is neither claimed nor chased (I9).
      if (origin !== this.origin) this.context.observeLevel(origin, seq, SPEAKS + 1, decoded.timeUs, now);
      return;
    }
    this.receiveEvent(decoded.event, now, way);
  }

  private receiveEvent(event: LoadEvent | OwnerEvent, now: number, way: 'live' | 'replay'): void {
    if (event.origin === this.options.origin || event.origin === this.ownerOrigin) {
      if (way === 'live') this.counts.own++;
      return;
    }
    const outcome = this.loadStats.apply(event, now);
    if (outcome !== 'applied' && (way === 'live' || outcome !== 'expired')) this.counts.drop(outcome);
    // What was dropped for want of room, or is ahead of its time, stays a hole: a later repair may still bring it.
    const isNew = (outcome === 'applied' || outcome === 'expired') && this.observe(event, now);
    if (outcome !== 'applied' || way === 'replay') return;
    this.counts.received[event.type]++;
    if (!isNew || isOwnerEvent(event)) return;
    if (event.type === 'add') this.loadStats.engines.model(event.cluster)?.recentAdds.heard(now);
    const differenceUs = now - event.timeUs;
    if (this.keepsClockOf(event.origin)) this.clockDifferencesUs.set(event.origin, differenceUs);
    this.observeLatency(Math.max(0, differenceUs / 1000));
  }

  private observe(event: LoadEvent | OwnerEvent, now: number): boolean {
    const { origin, seq, timeUs } = event;
    return isOwnerEvent(event)
      ? this.context.observeLevel(origin, seq, OWNER_LEVEL, timeUs, now)
      : this.context.observe(origin, seq, timeUs, now);
  }

  /**
   * Whether a report of an id in flight nowhere is about the request that was deleted then. Later it is about another
   * one that uses the id again, whose add may still be on its way.
   */
  private isLateCopy(deletedUs: number | undefined, now: number): boolean {
    return deletedUs !== undefined && now <= deletedUs + this.loadStats.options.finishedRetentionUs;
  }

  private commitDeletion(
    type: 'delete' | 'prompt-delete',
    requestId: string,
    first: Add | undefined,
    now: number,
  ): DeleteResult {
    const timeUs = this.deletionTimeUs(first, now);
    const event: LoadEvent = { type, origin: this.origin, seq: this.lastSeq + 1, timeUs, requestId };
    const outcome = this.commit(event, now);
    return outcome === 'applied' ? 'accepted' : this.refuse('too-many-finished');
  }

  private refuse<R extends keyof ReplicatorCounts['refused']>(result: R): R {
    this.counts.refused[result]++;
    return result;
  }

  /** No earlier than the adds it ends: a clock that is behind must not leave a request in flight. */
  protected deletionTimeUs(first: Add | undefined, now: number): number {
    let timeUs = now;
    for (let add = first; add; add = add.next) timeUs = Math.max(timeUs, add.timeUs);
    return timeUs;
  }

  private commit(event: LoadEvent | OwnerEvent, now: number): Outcome {
    const outcome = this.loadStats.apply(event, now);
    if (outcome !== 'applied') {
      this.counts.drop(outcome);
      return outcome;
    }
    if (isOwnerEvent(event)) this.lastOwnerSeq = event.seq;
    else this.lastSeq = event.seq;
    this.observe(event, now);
    this.publish(event);
    return outcome;
  }

  private commitOwner(event: OwnerEvent, now: number): OwnerResult {
    return this.commit(event, now) === 'applied' ? 'accepted' : this.refuse('too-many-owners');
  }

  private publish(event: LoadEvent | OwnerEvent): void {
    const { type } = event;
    if (this.bus.alone) {
      this.counts.published[type]++;
      return;
    }
    const subject = this.subjects[type];
    const payload = encodeEvent(event);
    const sent = this.bus.publish(subject, payload);
    (sent ? this.counts.published : this.counts.unpublished)[type]++;
    if (sent) return;
    if (payload.length > (this.bus.maxPayload ?? Infinity)) this.counts.tooLarge[type]++;
    else this.republisher.keep(subject, payload);
  }

  /** Beyond `MAX_CLOCKS` the origin of a live peer takes the place of a stranger. */
  private keepsClockOf(origin: string): boolean {
    const { clockDifferencesUs: clocks, context } = this;
    if (clocks.has(origin)) return true;
    if (clocks.size >= MAX_CLOCKS && !context.isProtected(origin)) return false;
    for (const other of clocks.keys()) if (!context.knows(other)) clocks.delete(other);
    if (clocks.size < MAX_CLOCKS) return true;
    for (const other of clocks.keys()) if (!context.isProtected(other)) return clocks.delete(other);
    return false;
  }

  now(): number {
    return this.loadStats.advance(this.nowUs());
  }
}

/** The request as it counts at present. */
function asItRuns({ requestId, row, promptLength, timestampNs, owner }: Add): AddReport {
  return { requestId, cluster: row.cluster, ip: row.ip, promptLength, timestampNs, owner: owner?.name };
}
