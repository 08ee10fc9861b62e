/**
 * The oracle: every event that was ever accepted, which replicas have been told of it and when, and what follows from
 * that by the rules of the design page alone. It listens to what travels (events on the bus, lines of snapshots), never
 * to what the replicas make of it, and recounts from scratch each time.
 */
import { newFingerprinting } from '../../src/composition/fingerprinting';
import { Fingerprint } from '../../src/core/fingerprint';

export interface Fact {
  readonly index: number;
  readonly type: 'add' | 'prompt-delete' | 'delete' | 'note';
  readonly origin: string;
  readonly seq: number;
  readonly timeUs: number;
  readonly requestId: string;
  readonly row: string;
  readonly promptLength: number;
}

interface WireEvent {
  readonly type: Fact['type'];
  readonly origin: string;
  readonly seq: number;
  readonly time_us: number;
  readonly request_id?: string;
  readonly cluster?: string;
  readonly ip?: string;
  readonly prompt_length?: number;
}

/** The records of a snapshot that tell of events, as far as it matters here. */
type Line =
  | readonly ['add', number, string, number, string, number, string | null, number?]
  | readonly ['delete' | 'prompt-delete', number, number, number, number, number]
  | readonly ['note', string, number, number]
  | readonly ['row' | 'end'];

export interface CountedRow {
  queued: number;
  prompt: number;
}

/** What one process has been told: fact and the true time of its first arrival. */
export type Knowledge = Map<Fact, number>;

export class Oracle {
  readonly facts: Fact[] = [];
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
    };
    this.texts.set(fact, text);
    if (again) throw new Error(`two events have the dot ${dot}`);
    const previous = fact.seq > 1 && !this.byDot.has(`${fact.origin}/${fact.seq - 1}`);
    if (previous) throw new Error(`the origin of ${dot} has left out a seq`);
    this.facts.push(fact);
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
      if (promptDeletedUs !== undefined) yield this.deletion('prompt-delete', id, promptDeletedUs, line);
    } else if (record[0] === 'note') {
      yield this.factOf(record[1], record[2])!;
    } else if (record[0] === 'delete' || record[0] === 'prompt-delete') {
      const [type, w0, w1, w2, w3, timeUs] = record;
      yield this.deletion(type, this.idOfFingerprint.get(`${w0},${w1},${w2},${w3}`), timeUs, line);
    }
  }

  /** The rows that the known facts make, those with nothing in flight left out. */
  recount(knows: (fact: Fact) => boolean, nowUs: number): Map<string, CountedRow> {
    const rows = new Map<string, CountedRow>();
    for (const facts of this.byId.values()) {
      const first = this.firstLive(facts, knows, nowUs);
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

  /** Whether a view that shows the known facts would look the same, now and later, if it showed `fact` too. */
  isShown(fact: Fact, knows: (fact: Fact) => boolean, nowUs: number): boolean {
    if (this.isForgotten(fact, nowUs) || knows(fact)) return true;
    const facts = this.byId.get(fact.requestId)!;
    if (fact.type === 'note') return false;
    if (fact.type === 'add') return this.isCovered(fact, 'delete', facts, knows);
    return facts.some(
      (other) =>
        (other.type === fact.type || other.type === 'delete') && other.timeUs >= fact.timeUs && knows(other),
    );
  }

  /** Whether a view at that time has no use for the fact any more. */
  isForgotten({ type, timeUs }: Fact, nowUs: number): boolean {
    return timeUs + this.expireAfterUs + (type === 'add' ? 0 : this.retentionUs) <= nowUs;
  }

  private deletion(type: Fact['type'], id: string | undefined, timeUs: number, line: string): Fact {
    const facts = id === undefined ? undefined : this.byId.get(id);
    const found = facts?.find((fact) => fact.type === type && fact.timeUs === timeUs);
    if (!found) throw new Error(`nobody reported ${line}`);
    return found;
  }

  private firstLive(facts: readonly Fact[], knows: (fact: Fact) => boolean, nowUs: number): Fact | undefined {
    let first: Fact | undefined;
    for (const fact of facts) {
      if (fact.type !== 'add' || fact.timeUs + this.expireAfterUs <= nowUs || !knows(fact)) continue;
      if (this.isCovered(fact, 'delete', facts, knows)) continue;
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

export function rowKey(cluster: string, ip: string): string {
  return `${cluster} ${ip}`;
}
