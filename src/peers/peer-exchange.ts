/**
 * Carries out over HTTP what anti-entropy and joining decide: watches the peers' health, compares, pulls snapshots
 * and merges them. The clock ticks here; the decisions are pure and elsewhere.
 */
import type { Logger } from 'pino';
import type { CausalContext, ContextOptions } from '../core/causal-context';
import type { LoadStats } from '../core/load-stats';
import type { SnapshotSelection } from '../core/snapshot';
import { SnapshotMerge } from '../core/snapshot-merge';
import { AntiEntropy, type AntiEntropyOptions } from '../replication/anti-entropy';
import type { AntiEntropyEvent, AntiEntropyPort } from '../replication/anti-entropy-port';
import type { JoiningState, JoiningSurroundings } from '../replication/joining';
import { Joining } from '../replication/joining';
import type { PeerStatus } from '../replication/peer-table';
import type { DigestWindow } from '../replication/state-comparison';

/** What the exchange works with, and how. */
export interface PeerExchangeParts {
  readonly stats: LoadStats;
  readonly context: CausalContext;
  readonly client: PeerRequests;
  readonly surroundings: () => JoiningSurroundings;
  /** Replays what the bus remembers; see `AntiEntropyPort.replay`. */
  readonly replayHistory: (sinceUs: number) => boolean;
  readonly nowUs: () => number;
  readonly random: () => number;
  readonly logger: Logger;
  readonly antiEntropy: AntiEntropyOptions;
  /** For the contexts that peers send. */
  readonly contextOptions: ContextOptions;
  /** How often each peer's health is asked. */
  readonly healthIntervalMs: number;
  readonly readyTimeoutMs: number;
}

/** How other replicas are asked: over HTTP, or through the network of a simulation. */
export interface PeerRequests {
  /** `window` asks for digests too; `nudge` tells the peer to compare with the replica of that id. */
  status(address: string, window?: DigestWindow, nudge?: string): PromiseLike<PeerStatus>;
  /** Hands each line of the peer's snapshot to `onLine`; what that throws ends the transfer. */
  snapshot(
    address: string,
    selection: SnapshotSelection | undefined,
    onLine: (line: string) => void,
  ): PromiseLike<void>;
}

export const TICK_MS = 100;
/** Between two attempts at the same peer while joining. */
const JOIN_RETRY_US = 250_000;
/** More than a million requests take to be shown, and half of the time within which a replica should be ready. */
const JOIN_SLOW_AFTER_US = 5_000_000;

export type PeerState = 'ready' | 'joining' | 'unreachable';

export class PeerExchange implements AntiEntropyPort {
  readonly antiEntropy: AntiEntropy;
  readonly joining: Joining;
  private readonly timers: NodeJS.Timeout[] = [];
  /** Why peers cannot be reached, by address; said when it begins, changes and ends. */
  private readonly unreachable = new Map<string, string>();
  /** Peers that have answered: only one of these can be missed. */
  private readonly known = new Set<string>();

  constructor(private readonly parts: PeerExchangeParts) {
    const { stats, context, random, antiEntropy, readyTimeoutMs } = parts;
    const now = parts.nowUs();
    this.antiEntropy = new AntiEntropy(stats, context, this, random, antiEntropy, now);
    this.joining = new Joining(this.antiEntropy, context, now, {
      readyTimeoutUs: readyTimeoutMs * 1000,
      retryUs: JOIN_RETRY_US,
      slowAfterUs: JOIN_SLOW_AFTER_US,
    });
  }

  start(): void {
    this.timers.push(
      setInterval(() => this.tick(), TICK_MS),
      setInterval(() => this.askHealth(), this.parts.healthIntervalMs),
    );
    this.tick();
  }

  stop(): void {
    for (const timer of this.timers) clearInterval(timer);
  }

  setPeers(addresses: readonly string[]): void {
    const before = new Set(this.antiEntropy.addresses);
    this.antiEntropy.setPeers(addresses);
    for (const address of this.unreachable.keys()) {
      if (!addresses.includes(address)) this.unreachable.delete(address);
    }
    for (const address of this.known) if (!addresses.includes(address)) this.known.delete(address);
    this.askHealth(this.antiEntropy.addresses.filter((address) => !before.has(address)));
  }

  /** Each peer's state, for readiness and metrics. */
  peerStates(): Record<string, PeerState> {
    const states: Record<string, PeerState> = {};
    for (const address of this.antiEntropy.addresses) {
      const status = this.antiEntropy.statusOf(address);
      states[address] = !status ? 'unreachable' : status.ready ? 'ready' : 'joining';
    }
    return states;
  }

  compare(address: string, window: DigestWindow): void {
    this.take(
      this.parts.client.status(address, window),
      (status) => {
        const everything = status.ready && this.joining.isAsking(address);
        const pulls = this.antiEntropy.compared(address, status, this.parts.nowUs(), everything);
        if (!pulls) this.joining.answered(address, false);
      },
      (error) => this.exchangeFailed(address, 'compare', error),
    );
  }

  pull(address: string, selection: SnapshotSelection | undefined): void {
    const { stats, contextOptions, antiEntropy } = this.parts;
    const merge = new SnapshotMerge(stats, contextOptions, antiEntropy.origin);
    this.take(
      this.parts.client.snapshot(address, selection, (line) => merge.line(line, this.parts.nowUs())),
      () => {
        const shown = this.antiEntropy.pulled(address, merge, this.parts.nowUs());
        this.joining.answered(address, shown && merge.source?.ready === true);
      },
      (error) => this.exchangeFailed(address, 'pull', error, merge),
    );
  }

  replay(sinceUs: number): boolean {
    return this.parts.replayHistory(sinceUs);
  }

  nudge(address: string): void {
    const ignore = (): void => undefined;
    this.parts.client.status(address, undefined, this.parts.antiEntropy.origin).then(ignore, ignore);
  }

  report(event: AntiEntropyEvent): void {
    switch (event.kind) {
      case 'hole-given-up':
        this.parts.logger.warn(
          { origin: event.origin, seqs: event.seqs },
          'lost events given up: no live peer has them',
        );
        return;
      case 'divergence':
        this.parts.logger.error(
          { peer: event.peer, peer_replica: event.replica, seconds: event.seconds },
          'replicas that have seen the same events differ; merging both ways',
        );
        return;
      case 'repaired':
        this.parts.logger.debug(
          { peer: event.peer, records: event.records, full: event.full },
          'pulled from a peer',
        );
    }
  }

  /** One step of the decisions, every `TICK_MS`. */
  tick(): void {
    const now = this.parts.nowUs();
    const surroundings = this.parts.surroundings();
    this.antiEntropy.tick(now, surroundings.history === 'replaying');
    const before = this.joining.current;
    const state = this.joining.poll(surroundings, now);
    if (state.ready !== before.ready) this.logReady(state);
  }

  private logReady(state: JoiningState): void {
    const { chased } = this.antiEntropy;
    this.parts.logger.info(
      { reason: state.reason, holes: chased, in_flight: this.parts.stats.inFlight.size },
      'ready',
    );
  }

  /** Asks peers what they say of themselves. */
  askHealth(addresses = this.antiEntropy.addresses): void {
    for (const address of addresses) {
      this.take(
        this.parts.client.status(address),
        (status) => this.reached(address, status),
        (error) => this.notReached(address, error),
      );
    }
  }

  private exchangeFailed(address: string, what: string, error: unknown, merge?: SnapshotMerge): void {
    this.parts.logger.debug({ peer: address, err: error }, `${what} failed`);
    this.antiEntropy.failed(address, this.parts.nowUs(), merge?.context);
    this.joining.answered(address, false);
  }

  private reached(address: string, status: PeerStatus): void {
    this.known.add(address);
    if (this.unreachable.delete(address)) this.parts.logger.info({ peer: address }, 'peer reachable again');
    this.antiEntropy.observe(address, status, this.parts.nowUs());
    this.joining.answers(address, true);
  }

  private notReached(address: string, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    const isNews = this.antiEntropy.addresses.includes(address) && this.unreachable.get(address) !== reason;
    if (isNews) {
      this.unreachable.set(address, reason);
      // One that was never there is starting, as this replica is.
      const level = this.known.has(address) ? 'warn' : 'info';
      this.parts.logger[level]({ peer: address, reason }, 'peer unreachable');
    }
    this.antiEntropy.unreachable(address);
    this.joining.answers(address, false);
  }

  /** Nothing that a peer sends may bring this replica down: a fault of ours in taking it in counts as no answer. */
  private take<T>(
    answer: PromiseLike<T>,
    onValue: (value: T) => void,
    onError: (error: unknown) => void,
  ): void {
    answer.then((value) => {
      try {
        onValue(value);
      } catch (error) {
        this.parts.logger.error({ err: error }, 'what a peer answered could not be taken in');
        onError(error);
      }
    }, onError);
  }
}
