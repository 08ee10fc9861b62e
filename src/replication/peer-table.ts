/**
 * The other replicas: which addresses discovery names, what each said of itself last, and whose turn it is. An address
 * that answers with this replica's own id is no peer.
 */
import type { CausalContext } from '../core/causal-context';
import { Agreement } from './agreement';
import type { StateDigests } from './state-comparison';

/** What a replica says of itself. */
export interface PeerStatus {
  readonly replica: string;
  readonly ready: boolean;
  readonly context: CausalContext;
  /** Present when asked for with a window. */
  readonly digests: StateDigests | undefined;
}

export interface Peer {
  readonly address: string;
  /** Undefined while it has not answered, or not lately. */
  status: PeerStatus | undefined;
  /** It did not answer when it was asked last. */
  silent: boolean;
  /** When a snapshot of it failed last. */
  failedUs: number;
  readonly agreement: Agreement;
}

export class PeerTable {
  private readonly peers = new Map<string, Peer>();
  /** Addresses that are this replica's own. */
  private readonly own = new Set<string>();
  private turn = 0;

  /** `origin` is this replica's own id. */
  constructor(private readonly origin: string) {}

  get addresses(): string[] {
    return [...this.peers.keys()];
  }

  /** What those that answer have seen. */
  get contexts(): CausalContext[] {
    return [...this.peers.values()].flatMap(({ status }) => status?.context ?? []);
  }

  get(address: string): Peer | undefined {
    return this.peers.get(address);
  }

  /** Those of which `is` is true, by what they said of themselves. */
  where(is: (status: PeerStatus) => boolean): Peer[] {
    return [...this.peers.values()].filter(({ status }) => status && is(status));
  }

  /** The addresses that discovery knows now. */
  set(addresses: readonly string[]): void {
    const known = new Set(addresses);
    for (const address of this.own) if (!known.has(address)) this.own.delete(address);
    for (const address of this.peers.keys()) if (!known.has(address)) this.peers.delete(address);
    for (const address of known) {
      if (!this.peers.has(address) && !this.own.has(address)) {
        this.peers.set(address, {
          address,
          status: undefined,
          silent: false,
          failedUs: -Infinity,
          agreement: new Agreement(),
        });
      }
    }
  }

  /** Remembers what an address said of itself. */
  observe(address: string, status: PeerStatus): 'back' | 'known' | 'no peer' {
    const peer = this.peers.get(address);
    if (!peer) return 'no peer';
    if (status.replica === this.origin) {
      this.own.add(address);
      this.peers.delete(address);
      return 'no peer';
    }
    const seen = peer.silent ? 'back' : 'known';
    peer.status = status;
    peer.silent = false;
    return seen;
  }

  /** Its snapshot came to nothing. */
  failed(address: string, atUs: number): void {
    const peer = this.peers.get(address);
    if (peer) peer.failedUs = atUs;
  }

  unreachable(address: string): void {
    const peer = this.peers.get(address);
    if (!peer) return;
    peer.status = undefined;
    peer.silent = true;
  }

  /** One peer after the other. */
  next(): Peer | undefined {
    const peers = [...this.peers.values()];
    return peers[this.turn++ % peers.length];
  }
}
