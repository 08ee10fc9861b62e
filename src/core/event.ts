/**
 * The stored form of a report: what the view is a function of.
 *
 * Times are integer microseconds since 1970 by the clock of the event's origin. A dot `(origin, seq)` names
 * an event: `origin` is a random id made at each process start, `seq` counts that origin's events from 1
 * without holes. The HTTP body and the wire event are types of their own; both are turned into this one.
 */

/** The bounds of an event's fields. Over HTTP they are the same, but for the timestamp, which is narrower there. */
export const MAX_PROMPT_LENGTH = 2_147_483_647;
/** Of request ids and clusters, in characters (Unicode code points). */
export const MAX_NAME_LENGTH = 256;
/** Of a gateway's own time in nanoseconds. */
export const MAX_TIMESTAMP_DIGITS = 19;
const TEXT_WITHOUT_SURROGATES = /^[^\ud800-\udfff]*$/;
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * A request id or a cluster. A lone surrogate is no character: it cannot be written as UTF-8, and two ids that differ only
 * there would become one on the way to another system.
 */
export function isName(value: unknown, minLength = 1): value is string {
  return (
    typeof value === 'string' &&
    value.length >= minLength &&
    (value.length <= MAX_NAME_LENGTH || isOfPairs(value)) &&
    (TEXT_WITHOUT_SURROGATES.test(value) || !LONE_SURROGATE.test(value))
  );
}

/** Whether it is short enough although it has more UTF-16 units: a character beyond the first 65,536 takes two. */
function isOfPairs(value: string): boolean {
  return value.length <= 2 * MAX_NAME_LENGTH && Array.from(value).length <= MAX_NAME_LENGTH;
}

/** Visible ASCII that needs no escape in JSON. */
const ORIGIN = /^[!#-[\]-~]{1,64}$/;

/** The id of a process that makes events, wherever it is read: it goes into snapshots and heartbeats as it is. */
export function isOrigin(value: unknown): value is string {
  return typeof value === 'string' && ORIGIN.test(value);
}

/** In its canonical dotted form, so that one engine has one name. */
export const CANONICAL_IPV4 =
  /^(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}$/;

export interface Dot {
  readonly origin: string;
  /** Counts the origin's events from 1. */
  readonly seq: number;
}

/** A request was routed to the engine `ip` of `cluster`. */
export interface AddEvent extends Dot {
  readonly type: 'add';
  readonly timeUs: number;
  readonly requestId: string;
  readonly cluster: string;
  /** IPv4 address in its canonical dotted form. */
  readonly ip: string;
  /** Prompt length in tokens, 0 to 2147483647. */
  readonly promptLength: number;
  /** The gateway's own time of the request, nanoseconds; it only serves to recognise a resend. */
  readonly timestampNs: bigint | undefined;
}

/** The request's first token came: its prompt no longer counts. */
export interface PromptDeleteEvent extends Dot {
  readonly type: 'prompt-delete';
  readonly timeUs: number;
  readonly requestId: string;
}

/** The request finished. */
export interface DeleteEvent extends Dot {
  readonly type: 'delete';
  readonly timeUs: number;
  readonly requestId: string;
}

export type LoadEvent = AddEvent | PromptDeleteEvent | DeleteEvent;
export type LoadEventType = LoadEvent['type'];
