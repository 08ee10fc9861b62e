/**
 * Two more dialects of the code. One as a later version will be: it knows one more event (`note`) and one more kind of record,
 * of a level above. Notes are a set that only grows; they make no rows. And one as the version before was: it knows no owners.
 */
import type { Dot } from '../../src/core/event';
import { OWNER_LEVEL } from '../../src/core/event';
import { SnapshotMerge } from '../../src/core/snapshot-merge';
import { snapshotLines } from '../../src/core/snapshot';
import { SPEAKS } from '../../src/repair/protocol';
import { Replicator } from '../../src/replication/replicator';

export const DIALECT = SPEAKS + 1;
export const ELDER = OWNER_LEVEL - 1;

export interface Note extends Dot {
  readonly timeUs: number;
}

export class Notes {
  private readonly notes = new Map<string, Note>();

  add(note: Note): void {
    this.notes.set(`${note.origin}/${note.seq}`, note);
  }

  get all(): Iterable<Note> {
    return this.notes.values();
  }
}

export function noteOf(payload: Uint8Array): Note | undefined {
  const text = Buffer.from(payload).toString();
  if (!text.includes('"type":"note"')) return undefined;
  const {
    origin,
    seq,
    time_us: timeUs,
  } = JSON.parse(text) as { origin: string; seq: number; time_us: number };
  return { origin, seq, timeUs };
}

export class DialectReplicator extends Replicator {
  notes = new Notes();

  note(): void {
    const now = this['now']();
    const note = { origin: this.origin, seq: ++this['lastSeq'], timeUs: now };
    this.notes.add(note);
    this.context.observeLevel(note.origin, note.seq, DIALECT, now, now);
    const { origin, seq } = note;
    const wire = { v: 1, type: 'note', origin, seq, time_us: now };
    const subject = `${this['options'].subjectPrefix}.load.note`;
    const payload = Buffer.from(JSON.stringify(wire));
    if (!this['bus'].publish(subject, payload)) this['republisher'].keep(subject, payload);
  }

  override receive(payload: Uint8Array, way: 'live' | 'replay' = 'live'): void {
    const note = noteOf(payload);
    if (!note) {
      super.receive(payload, way);
      return;
    }
    this.notes.add(note);
    this.context.observeLevel(note.origin, note.seq, DIALECT, note.timeUs, this['now']());
  }
}

const OF_OWNERS = /^\{"v":1,"type":"owner(?:-gone)?",/;

/** It leaves out whose an add is, as a member that it does not know, and can't read events of owners. */
export class ElderReplicator extends Replicator {
  override receive(payload: Uint8Array, way: 'live' | 'replay' = 'live'): void {
    const text = Buffer.from(payload).toString();
    if (!OF_OWNERS.test(text)) {
      super.receive(Buffer.from(text.replace(/,"owner":"[^"]*"\}$/, '}')), way);
      return;
    }
    const event = JSON.parse(text) as { origin: string; seq: number; time_us: number };
    this.context.observeLevel(event.origin, event.seq, OWNER_LEVEL, event.time_us, this['now']());
  }
}

export class DialectMerge extends SnapshotMerge {
  constructor(
    readonly into: Notes,
    ...of: ConstructorParameters<typeof SnapshotMerge>
  ) {
    super(...of);
  }

  override line(text: string, nowUs: number): void {
    super.line(text, nowUs);
    if (!text.startsWith('["note"')) return;
    this.skipped--;
    const [, origin, seq, timeUs] = JSON.parse(text) as ['note', string, number, number];
    this.into.add({ origin, seq, timeUs });
  }
}

/** Its snapshot, to a reader that speaks as much. */
export function* dialectLines(notes: Notes, ...of: Parameters<typeof snapshotLines>): Generator<string> {
  const [, , { speaks }] = of;
  let more = 0;
  for (const line of snapshotLines(...of)) {
    if (line.startsWith('["end"') && speaks >= DIALECT) {
      for (const { origin, seq, timeUs } of notes.all) {
        more++;
        yield JSON.stringify(['note', origin, seq, timeUs]);
      }
    }
    yield line.startsWith('["end"') ? `["end",${Number(line.slice(7, -1)) + more}]` : line;
  }
}
