/**
 * Who is behind an address that discovery names, and what it said of itself last. Only replicas of the same deployment are
 * peers; an address that leads back to this replica is none either.
 */
import { Agreement, type AgreementState } from './agreement';
import type { PeerStatus } from './protocol';

export const PEER_STATES = ['ready', 'joining', 'unreachable', 'other-deployment', 'itself'] as const;
export type PeerState = (typeof PEER_STATES)[number];

/** What is known of an address, for people. */
export type PeerReport = Peer['report'];

/** A replica that was there and does not answer so many times in a row is unreachable. */
const MAX_MISSES = 3;

export class Peer {
  /** Who answered there last; null where nobody has. */
  replica: string | null = null;
  /** Undefined while it has not answered, or not lately. */
  status: PeerStatus | undefined;
  /** Why it is no peer of this replica. */
  stranger: 'other-deployment' | 'itself' | undefined;
  /** So many times in a row it did not answer. */
  misses = 0;
  /** While joining: it could not show its state; its state has been merged since the subscription stood. */
  failed = false;
  shown = false;
  /** What an operator was told of last: why it is not there; undefined when it is. */
  told: string | undefined;
  readonly agreement = new Agreement();
  /** What the last comparison of both states found; null before the first. */
  rows: AgreementState | null = null;

  constructor(readonly address: string) {}

  get state(): PeerState {
    return this.stranger ?? (!this.status ? 'unreachable' : this.status.ready ? 'ready' : 'joining');
  }

  get report() {
    const { state, replica, status, misses } = this;
    const { busConnected, missingEvents } = status ?? {};
    const rows = status ? this.rows : null;
    return { state, replica, bus_connected: busConnected, missing_events: missingEvents, rows, misses };
  }

  /** Remembers what it said of itself; `self` is this replica. */
  observe(status: PeerStatus, self: string): void {
    this.misses = 0;
    this.stranger = status.replica === self ? 'itself' : undefined;
    // Another process has shown nothing yet.
    if (this.replica !== status.replica) this.failed = this.shown = false;
    this.replica = status.replica;
    this.status = this.stranger ? undefined : status;
  }

  isForeign(): void {
    this.misses = 0;
    this.status = undefined;
    this.stranger = 'other-deployment';
  }

  /** It did not answer. True when it counts as gone: one that was there may be busy. */
  missed(): boolean {
    this.misses++;
    if (this.misses >= MAX_MISSES) this.status = undefined;
    return this.status === undefined;
  }
}
