/**
 * The names under which a replica publishes. Operators give permissions and tap the bus by them, so they are
 * part of the outside contract.
 */
import type { EventType } from '../core/event';

/** The subject of one type of load event. */
export function subjectOf(prefix: string, type: EventType): string {
  return `${prefix}.load.${type}`;
}

/** Matches the subject of every load event, of types yet unknown too. */
export function loadWildcard(prefix: string): string {
  return `${prefix}.load.*`;
}

/** Under `<prefix>.replica.` is whatever replicas tell each other besides load events. */
export function heartbeatSubject(prefix: string): string {
  return `${prefix}.replica.heartbeat`;
}

/** The prefix cache has subjects of its own. */
export function cacheSubjects(prefix: string): { save: string; clear: string } {
  return { save: `${prefix}.cache.save`, clear: `${prefix}.cache.clear` };
}

export function cacheWildcard(prefix: string): string {
  return `${prefix}.cache.*`;
}
