/**
 * Who is behind the addresses that discovery names, and what each said of itself last. Only replicas of the same deployment
 * are peers; an address that leads back to this replica is none either.
 */
import type { CausalContext } from '../core/causal-context';
import { Agreement, type AgreementState } from './agreement';
import type { PeersState } from './joining';
import type { PeerStatus } from './protocol';

export const PEER_STATES = ['ready', 'joining', 'unreachable', 'other-deployment', 'itself'] as const;
export type PeerState = (typeof PEER_STATES)[number];

/** What is known of an address, as far as the last answers show. */
export interface PeerReport {
  readonly state: PeerState;
  /** Who answered there last; null where nobody has. */
  readonly replica: string | null;
  /** Undefined while it does not answer, and where it is of a version that does not say it. */
  readonly bus_connected: boolean | undefined;
  readonly missing_events: number | undefined;
  /** Of the last comparison of both states; null before the first. */
  readonly rows: AgreementState | null;
  /** So many times in a row it did not answer. */
  readonly misses: number;
}

/** A replica that was there and does not answer so many times in a row is unreachable. */
const MAX_MISSES = 3;

export interface Peer {
  readonly address: string;
  /** Who answered there last. */
  replica: string | undefined;
  /** Undefined while it has not answered, or not lately. */
  status: PeerStatus | undefined;
  /** Why it is no peer of this replica. */
  stranger: 'other-deployment' | 'itself' | undefined;
  /** So many times in a row it did not answer. */
  misses: number;
  /** While joining: it could not show its state; its state has been merged since the subscription stood. */
  failed: boolean;
  shown: boolean;
  /** What an operator was told of last: why it is not there; undefined when it is. */
  told: string | undefined;
  readonly agreement: Agreement;
  /** What the last comparison of both states found. */
  rows: AgreementState | null;
}

export class PeerTable {
  private readonly addresses = new Map<string, Peer>();
  private turn = 0;

  /** `origin` is this replica's own id. */
  constructor(private readonly origin: string) {}

  /** Every address that discovery names. */
  get all(): Peer[] {
    return [...this.addresses.values()];
  }

  /** Those that are other replicas of this deployment, as far as is known. */
  get peers(): Peer[] {
    return this.all.filter(({ stranger }) => stranger === undefined);
  }

  /** Who was behind the addresses of peers when they answered last. */
  get replicas(): string[] {
    return this.peers.flatMap(({ replica }) => replica ?? []);
  }

  /** What those that answer have seen. */
  get contexts(): CausalContext[] {
    return this.peers.flatMap(({ status }) => status?.context ?? []);
  }

  get(address: string): Peer | undefined {
    return this.addresses.get(address);
  }

  /** The addresses that discovery knows now. */
  set(addresses: readonly string[]): void {
    const known = new Set(addresses);
    for (const address of this.addresses.keys()) if (!known.has(address)) this.addresses.delete(address);
    for (const address of known) {
      if (this.addresses.has(address)) continue;
      this.addresses.set(address, {
        address,
        replica: undefined,
        status: undefined,
        stranger: undefined,
        misses: 0,
        failed: false,
        shown: false,
        told: undefined,
        agreement: new Agreement(),
        rows: null,
      });
    }
  }

  /** Remembers what an address said of itself. */
  observe(peer: Peer, status: PeerStatus): void {
    peer.misses = 0;
    peer.stranger = status.replica === this.origin ? 'itself' : undefined;
    // Another process has shown nothing yet.
    if (peer.replica !== status.replica) peer.failed = peer.shown = false;
    peer.replica = status.replica;
    peer.status = peer.stranger ? undefined : status;
  }

  isForeign(peer: Peer): void {
    peer.misses = 0;
    peer.status = undefined;
    peer.stranger = 'other-deployment';
  }

  /** It did not answer. True when it counts as gone: one that was there may be busy. */
  missed(peer: Peer): boolean {
    peer.misses++;
    if (peer.misses >= MAX_MISSES) peer.status = undefined;
    return peer.status === undefined;
  }

  /** One peer after the other. */
  next(): Peer | undefined {
    const { peers } = this;
    return peers[this.turn++ % peers.length];
  }

  /** By address. */
  reports(): Record<string, PeerReport> {
    return Object.fromEntries(
      this.all.map((peer) => [
        peer.address,
        {
          state: stateOf(peer),
          replica: peer.replica ?? null,
          bus_connected: peer.status?.busConnected,
          missing_events: peer.status?.missingEvents,
          rows: peer.status ? peer.rows : null,
          misses: peer.misses,
        },
      ]),
    );
  }

  /** What they have shown to a replica that joins. `isSlow`: one that is being asked and need not be waited for. */
  stateForJoining(known: boolean, hasEvents: boolean, isSlow: (peer: Peer) => boolean): PeersState {
    if (!known) return 'unknown';
    const { peers } = this;
    if (peers.length === 0) return 'none';
    const answered = peers.every(({ status, misses }) => status ?? misses > 0);
    const ready = peers.filter(({ status }) => status?.ready);
    const owing = ready.filter(({ failed, shown }) => !failed && !shown);
    if (answered && owing.every(isSlow) && ready.some(({ shown }) => shown)) return 'shown';
    if (ready.length > 0) return owing.length > 0 ? 'owing' : 'unable';
    if (!hasEvents && peers.every(({ status }) => status && !status.context.hasEvents)) return 'empty';
    return answered ? 'joining' : 'unasked';
  }
}

export function stateOf({ stranger, status }: Peer): PeerState {
  return stranger ?? (!status ? 'unreachable' : status.ready ? 'ready' : 'joining');
}
