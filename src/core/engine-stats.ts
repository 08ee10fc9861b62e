/**
 * One engine's row. Changed by contribution differences only, through LoadStats.
 */
import type { DigestedName } from './state-digest';

/** Gateways decode 32 bits: one larger number would fail their whole query. */
export const MAX_SUM = 2_147_483_647;

const DOT = 0x2e;
const ZERO = 0x30;

/** Counts the changes of all rows of a cluster. */
export interface ChangeCounter {
  changes: number;
}

export class EngineStats {
  queuedRequests = 0;
  promptLength = 0;
  /** Requests in flight whose prompt has not been deleted. */
  prefillRequests = 0;
  /** Time of the latest event that changed the row, microseconds. */
  updatedUs = 0;
  /** Whether the row is part of its cluster's answers. */
  listed = false;
  /** In-flight records that refer to the row, winners or not. */
  liveAdds = 0;
  /** The second of event time under which expiry looks at the row next. */
  dueSecond = 0;
  /** The `max_queued` of the latest select that booked here, up to which event time adds may not have known of it, and whose it was. */
  selectLimit = 0;
  selectLimitUntilUs = 0;
  selectOrigin = '';
  /** The number of the latest select that named it: one that is named twice is one candidate. */
  namedIn = 0;
  private json = '';

  constructor(
    private readonly counter: ChangeCounter,
    readonly cluster: string,
    readonly ip: string,
    readonly address: number,
    /** The number under which finished ids remember the row. */
    readonly number: number,
    /** Part of the digest of every add on this row. */
    readonly digested: DigestedName,
  ) {}

  /** Call after every change of the row. */
  changed(): void {
    this.json = '';
    this.counter.changes++;
  }

  /** The row as the API answers it; built again only after a change. */
  toJson(): string {
    if (this.json === '') {
      const queued = Math.min(this.queuedRequests, MAX_SUM);
      const prompt = Math.min(this.promptLength, MAX_SUM);
      const prefill = Math.min(this.prefillRequests, MAX_SUM);
      // Nanoseconds are past 2^53, so they are written as text.
      this.json = `{"ip":"${this.ip}","queued_req_num":${queued},"prompt_length":${prompt},"prefill_req_num":${prefill},"updated_time":${this.updatedUs}000}`;
    }
    return this.json;
  }
}

/** The address as a number that sorts as addresses do. */
export function addressOf(ip: string): number {
  let address = 0;
  let part = 0;
  for (let i = 0; i < ip.length; i++) {
    const code = ip.charCodeAt(i);
    if (code === DOT) {
      address = address * 256 + part;
      part = 0;
    } else {
      part = part * 10 + code - ZERO;
    }
  }
  return address * 256 + part;
}
