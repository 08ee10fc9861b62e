/**
 * The oracle: every event that was ever accepted, which replicas have been told of it and when, and what follows from
 * that by the rules of the design page alone. It listens to what travels (events on the bus, lines of snapshots), never
 * to what the replicas make of it, and recounts from scratch each time.
 */
import { newFingerprinting } from '../../src/composition/fingerprinting';
import { OWNER_LEVEL } from '../../src/core/event';
import { Fingerprint } from '../../src/core/fingerprint';
import { DIALECT } from './dialect';

export interface Fact {
  readonly index: number;
  readonly type: 'add' | 'prompt-delete' | 'delete' | 'note' | 'owner' | 'owner-gone';
  readonly origin: string;
  readonly seq: number;
  readonly timeUs: number;
  readonly requestId: string;
  readonly row: string;
  readonly promptLength: number;
  /** Of an add only where its gateway has said it. */
  readonly owner: string | undefined;
  readonly ttlUs: number;
}

/** What a replica makes of the owners that it was told of. */
export interface Standing {
  /** Whether it knows whose the add is. */
  isOwned(add: Fact): boolean;
  isSuspended(owner: string): boolean;
}

/** A lease is about adds up to the longest ttl and R after it. */
const LONGEST_TTL_US = 300_000_000;

interface WireEvent {
  readonly type: Fact['type'];
  readonly origin: string;
  readonly seq: number;
  readonly time_us: number;
  readonly request_id?: string;
  readonly cluster?: string;
  readonly ip?: string;
  readonly prompt_length?: number;
  readonly owner?: string;
  readonly ttl_ms?: number;
}

/** The records of a snapshot that tell of events, as far as it matters here. */
type Line =
  | readonly ['add', number, string, number, string, number, string | null, (number | null)?, string?]
  | OwnerLine
  | readonly ['delete' | 'prompt-delete', number, number, number, number, number]
  | readonly ['note', string, number, number]
  | readonly ['row' | 'end'];

export type OwnerLine = readonly ['owner', string, number, number, number, number];

export interface CountedRow {
  queued: number;
  prompt: number;
}

/** What one process has been told: fact and the true time of its first arrival. */
export type Knowledge = Map<Fact, number>;

export class Oracle {
  readonly facts: Fact[] = [];
  /** All that were named, in the order of the facts. */
  readonly owners = new Set<string>();
  private readonly byDot = new Map<string, Fact>();
  private readonly texts = new Map<Fact, string>();
  private readonly addsByTime = new Map<string, Fact>();
  private readonly byId = new Map<string, Fact[]>();
  private readonly idOfFingerprint = new Map<string, string>();
  private readonly fingerprint = new Fingerprint(newFingerprinting());

  constructor(
    private readonly expireAfterUs: number,
    private readonly retentionUs: number,
  ) {}

  /** A replica published this, perhaps again. */
  accept(payload: Uint8Array): Fact {
    const text = Buffer.from(payload).toString();
    const wire = JSON.parse(text) as WireEvent;
    const dot = `${wire.origin}/${wire.seq}`;
    const again = this.byDot.get(dot);
    if (again && this.texts.get(again) === text) return again;
    const fact: Fact = {
      index: this.facts.length,
      type: wire.type,
      origin: wire.origin,
      seq: wire.seq,
      timeUs: wire.time_us,
      requestId: wire.request_id ?? '',
      row: rowKey(wire.cluster ?? '', wire.ip ?? ''),
      promptLength: wire.prompt_length ?? 0,
      owner: wire.owner,
      ttlUs: 1000 * (wire.ttl_ms ?? 0),
    };
    this.texts.set(fact, text);
    if (again) throw new Error(`two events have the dot ${dot}`);
    const previous = fact.seq > 1 && !this.byDot.has(`${fact.origin}/${fact.seq - 1}`);
    if (previous) throw new Error(`the origin of ${dot} has left out a seq`);
    this.facts.push(fact);
    if (fact.owner !== undefined) this.owners.add(fact.owner);
    this.byDot.set(dot, fact);
    const ofId = this.byId.get(fact.requestId);
    if (ofId) ofId.push(fact);
    else {
      this.byId.set(fact.requestId, [fact]);
      const { w0, w1, w2, w3 } = this.fingerprint.of(fact.requestId);
      this.idOfFingerprint.set(`${w0},${w1},${w2},${w3}`, fact.requestId);
    }
    if (fact.type === 'add') this.addsByTime.set(`${fact.origin}/${fact.timeUs}`, fact);
    return fact;
  }

  factOf(origin: string, seq: number): Fact | undefined {
    return this.byDot.get(`${origin}/${seq}`);
  }

  /** What a line of a snapshot tells; throws when nobody ever reported that. */
  *factsOfLine(line: string): Generator<Fact> {
    if (!line.startsWith('[')) return;
    const record = JSON.parse(line) as Line;
    if (record[0] === 'add') {
      const [, , id, timeUs, origin, , , promptDeletedUs] = record;
      const add = this.addsByTime.get(`${origin}/${timeUs}`);
      if (add?.requestId !== id) throw new Error(`nobody reported ${line}`);
      yield add;
      if (promptDeletedUs !== undefined && promptDeletedUs !== null)
        yield this.deletion('prompt-delete', id, promptDeletedUs, line);
    } else if (record[0] === 'owner') {
      const [, name, leaseUs, ttlMs, goneUs, newestAddUs] = record;
      const facts = this.facts.filter(({ owner }) => owner === name);
      const said = (type: Fact['type'], timeUs: number, ttlUs = 0): Fact => {
        const found = facts.find(
          (fact) => fact.type === type && fact.timeUs === timeUs && fact.ttlUs === ttlUs,
        );
        if (!found) throw new Error(`nobody reported ${line}`);
        return found;
      };
      if (leaseUs > 0) yield said('owner', leaseUs, 1000 * ttlMs);
      if (goneUs > 0) yield said('owner-gone', goneUs);
      if (newestAddUs > 0) said('add', newestAddUs);
    } else if (record[0] === 'note') {
      yield this.factOf(record[1], record[2])!;
    } else if (record[0] === 'delete' || record[0] === 'prompt-delete') {
      const [type, w0, w1, w2, w3, timeUs] = record;
      yield this.deletion(type, this.idOfFingerprint.get(`${w0},${w1},${w2},${w3}`), timeUs, line);
    }
  }

  /** What a record of an owner says. */
  ownerOfLine(line: string): { name: string; newestAddUs: number; timesUs: readonly number[] } | undefined {
    if (!line.startsWith('["owner"')) return undefined;
    const [, name, leaseUs, , goneUs, newestAddUs] = JSON.parse(line) as OwnerLine;
    return { name, newestAddUs, timesUs: [leaseUs, goneUs, newestAddUs] };
  }

  /** Whether a record of an add says whose it is. */
  namesOwner(line: string): boolean {
    return line.startsWith('["add"') && (JSON.parse(line) as unknown[]).length > 8;
  }

  /** The rows that the known facts make, those with nothing in flight left out. */
  recount(knows: (fact: Fact) => boolean, nowUs: number, standing?: Standing): Map<string, CountedRow> {
    const rows = new Map<string, CountedRow>();
    for (const facts of this.byId.values()) {
      const first = this.firstLive(facts, knows, nowUs, standing);
      if (!first) continue;
      const row = rows.get(first.row) ?? { queued: 0, prompt: 0 };
      rows.set(first.row, row);
      row.queued++;
      if (!this.isCovered(first, 'prompt-delete', facts, knows)) row.prompt += first.promptLength;
    }
    return rows;
  }

  /** The rows that are surely listed by the known facts, and those that may be by all that ever was. */
  listed(knows: (fact: Fact) => boolean, nowUs: number): { sure: Set<string>; possible: Set<string> } {
    const [sure, possible] = [new Set<string>(), new Set<string>()];
    for (const facts of this.byId.values()) {
      const adds = facts.filter(({ type }) => type === 'add');
      const isYoung = facts.some(({ timeUs }) => timeUs + this.expireAfterUs > nowUs);
      for (const add of adds) {
        if (isYoung) possible.add(add.row);
        if (knows(add) && add.timeUs + this.expireAfterUs > nowUs) sure.add(add.row);
      }
    }
    return { sure, possible };
  }

  /** The ids that are in flight by the known facts. */
  liveIds(knows: (fact: Fact) => boolean, nowUs: number): string[] {
    return [...this.byId].filter(([, facts]) => this.firstLive(facts, knows, nowUs)).map(([id]) => id);
  }

  /** The adds of an id that are in flight by the known facts. */
  liveAdds(requestId: string, knows: (fact: Fact) => boolean, nowUs: number): Fact[] {
    const facts = this.byId.get(requestId) ?? [];
    return facts.filter(
      (fact) =>
        fact.type === 'add' &&
        knows(fact) &&
        !this.isForgotten(fact, nowUs) &&
        !this.isCovered(fact, 'delete', facts, knows),
    );
  }

  /** The latest lease of an owner by the known facts. */
  leaseOf(owner: string, knows: (fact: Fact) => boolean): Fact | undefined {
    let latest: Fact | undefined;
    for (const fact of this.facts) {
      if (fact.type !== 'owner' || fact.owner !== owner || !knows(fact)) continue;
      if (!latest || isLaterLease(fact, latest)) latest = fact;
    }
    return latest;
  }

  /** Whether what was refreshed is prefilled by the known facts. */
  isPrefilled(requestId: string, knows: (fact: Fact) => boolean, nowUs: number): boolean {
    const facts = this.byId.get(requestId) ?? [];
    const first = this.firstLive(facts, knows, nowUs);
    return first !== undefined && this.isCovered(first, 'prompt-delete', facts, knows);
  }

  private countsByOwner(add: Fact, knows: (fact: Fact) => boolean, standing: Standing): boolean {
    const { owner, timeUs } = add;
    if (owner === undefined || !standing.isOwned(add)) return true;
    const isGone = (fact: Fact): boolean =>
      fact.type === 'owner-gone' &&
      fact.owner === owner &&
      timeUs <= fact.timeUs + this.retentionUs &&
      knows(fact);
    if (this.facts.some(isGone)) return false;
    const lease = standing.isSuspended(owner) ? this.leaseOf(owner, knows) : undefined;
    return !lease || timeUs > lease.timeUs + LONGEST_TTL_US + this.retentionUs;
  }

  /** Whether a view that shows the known facts would look the same, now and later, if it showed `fact` too. */
  isShown(fact: Fact, knows: (fact: Fact) => boolean, nowUs: number): boolean {
    if (this.isForgotten(fact, nowUs) || knows(fact)) return true;
    const facts = this.byId.get(fact.requestId)!;
    if (fact.type === 'note') return false;
    if (fact.type === 'owner' || fact.type === 'owner-gone') {
      const { type, owner } = fact;
      const saysAsMuch = (other: Fact): boolean =>
        type === 'owner' ? isLaterLease(other, fact) : other.timeUs >= fact.timeUs;
      return facts.some(
        (other) => other.type === type && other.owner === owner && saysAsMuch(other) && knows(other),
      );
    }
    if (fact.type === 'add') return this.isCovered(fact, 'delete', facts, knows);
    return facts.some(
      (other) =>
        (other.type === fact.type || other.type === 'delete') && other.timeUs >= fact.timeUs && knows(other),
    );
  }

  /** Whether a view at that time has no use for the fact any more. */
  isForgotten({ type, timeUs }: Fact, nowUs: number): boolean {
    const ofOwner = type === 'owner' || type === 'owner-gone' ? LONGEST_TTL_US : 0;
    return timeUs + this.expireAfterUs + (type === 'add' ? 0 : this.retentionUs) + ofOwner <= nowUs;
  }

  private deletion(type: Fact['type'], id: string | undefined, timeUs: number, line: string): Fact {
    const facts = id === undefined ? undefined : this.byId.get(id);
    const found = facts?.find((fact) => fact.type === type && fact.timeUs === timeUs);
    if (!found) throw new Error(`nobody reported ${line}`);
    return found;
  }

  private firstLive(
    facts: readonly Fact[],
    knows: (fact: Fact) => boolean,
    nowUs: number,
    standing?: Standing,
  ): Fact | undefined {
    let first: Fact | undefined;
    for (const fact of facts) {
      if (fact.type !== 'add' || fact.timeUs + this.expireAfterUs <= nowUs || !knows(fact)) continue;
      if (this.isCovered(fact, 'delete', facts, knows)) continue;
      if (standing && !this.countsByOwner(fact, knows, standing)) continue;
      if (
        !first ||
        fact.timeUs < first.timeUs ||
        (fact.timeUs === first.timeUs && fact.origin < first.origin)
      ) {
        first = fact;
      }
    }
    return first;
  }

  private isCovered(
    add: Fact,
    by: Fact['type'],
    facts: readonly Fact[],
    knows: (fact: Fact) => boolean,
  ): boolean {
    return facts.some(
      (fact) => fact.type === by && add.timeUs <= fact.timeUs + this.retentionUs && knows(fact),
    );
  }
}

/** The level of events that one must speak to read it. */
export function levelOf({ type }: Fact): number {
  return type === 'note' ? DIALECT : type === 'owner' || type === 'owner-gone' ? OWNER_LEVEL : 1;
}

function isLaterLease(a: Fact, b: Fact): boolean {
  return a.timeUs > b.timeUs || (a.timeUs === b.timeUs && a.ttlUs >= b.ttlUs);
}

export function rowKey(cluster: string, ip: string): string {
  return `${cluster} ${ip}`;
}
