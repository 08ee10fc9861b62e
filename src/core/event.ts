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
export const ORIGIN = /^[!#-[\]-~]{1,64}$/;

/** The id of a process that makes events, wherever it is read: it goes into snapshots and heartbeats as it is. */
export function isOrigin(value: unknown): value is string {
  return typeof value === 'string' && ORIGIN.test(value);
}

export const MAX_OWNER_LENGTH = 64;
/** Visible ASCII. */
export const OWNER = new RegExp(`^[!-~]{1,${MAX_OWNER_LENGTH}}$`);

/** The id of a gateway's process, wherever it is read. */
export function isOwner(value: unknown): value is string {
  return typeof value === 'string' && OWNER.test(value);
}

/** How long an owner counts as alive after its last sign of life. */
export const MIN_OWNER_TTL_MS = 3_000;
export const MAX_OWNER_TTL_MS = 300_000;

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
  /** The gateway's process that holds the request, if it has said so. */
  readonly owner?: string | undefined;
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

/** A gateway's process lives: it renews its lease. */
export interface LeaseEvent extends Dot {
  readonly type: 'owner';
  readonly timeUs: number;
  readonly owner: string;
  readonly ttlMs: number;
}

/** A gateway's process is gone for good. */
export interface GoneEvent extends Dot {
  readonly type: 'owner-gone';
  readonly timeUs: number;
  readonly owner: string;
}

/** Of level 2: a replica that speaks less can't read it. */
export type OwnerEvent = LeaseEvent | GoneEvent;
export const OWNER_LEVEL = 2;

/** Events of owners are numbered by themselves: who speaks less leaves out one interval then, not one for each of them. */
export function ownerOriginOf(origin: string): string {
  return `${origin}.owners`;
}

export type LoadEvent = AddEvent | PromptDeleteEvent | DeleteEvent;
export type EventType = LoadEvent['type'] | OwnerEvent['type'];

export function isOwnerEvent(event: LoadEvent | OwnerEvent): event is OwnerEvent {
  return event.type === 'owner' || event.type === 'owner-gone';
}
