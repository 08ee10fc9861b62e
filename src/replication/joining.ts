/**
 * Decides when a starting replica has caught up.
 *
 * It has when a replica that is itself ready has shown it everything and the other ready ones nothing more, when the
 * bus's history was replayed to its end, or when there is nothing to catch up with. Peers that are still joining do not
 * count, unless none of them has seen a single event. A time-out bounds it all: the replica then serves, degraded.
 * Pure: polled with the time.
 */
import type { CausalContext } from '../core/causal-context';
import type { AntiEntropy } from './anti-entropy';
import { PaceClock } from './pace-clock';

/**
 * What the bus's memory has shown. `none`: there is none, or it can't be had now. `young`: replayed, but it may have
 * begun after events that still matter, so a ready peer knows better. `done`: replayed, and it reaches back far enough.
 */
export type HistoryState = 'none' | 'starting' | 'replaying' | 'young' | 'done';

/** What joining depends on outside of itself. */
export interface JoiningSurroundings {
  /** Subscribed: what others publish from now on arrives. */
  readonly busConnected: boolean;
  /** Whether discovery has answered once, or there is none to ask. */
  readonly peersKnown: boolean;
  readonly history: HistoryState;
  /** Why the history that this replica must not start without is not there; undefined when nothing is in the way. */
  readonly historyMissing?: string | undefined;
}

export type JoiningState =
  | { readonly ready: false; readonly reason: string }
  | { readonly ready: true; readonly caughtUp: boolean; readonly reason: string };

export interface JoiningOptions {
  /** The longest that catching up keeps the replica from being ready. */
  readonly readyTimeoutUs: number;
  /** Between two attempts at the same peer. */
  readonly retryUs: number;
  /** A peer that takes longer to show its state does not keep the others from being asked. */
  readonly slowAfterUs: number;
}

export class Joining {
  private readonly pace: PaceClock;
  private state: JoiningState = { ready: false, reason: 'starting' };
  /** Peers whose state has been merged since the subscription stood. */
  private readonly merged = new Set<string>();
  private readonly tried = new Set<string>();
  private readonly silent = new Set<string>();
  /** Peers that are being asked, since when. */
  private readonly asking = new Map<string, number>();
  private retryAtUs = 0;

  constructor(
    private readonly antiEntropy: AntiEntropy,
    private readonly context: CausalContext,
    nowUs: number,
    private readonly options: JoiningOptions,
  ) {
    this.pace = new PaceClock(nowUs, Infinity);
  }

  get current(): JoiningState {
    return this.state;
  }

  /** Whether the exchange under way with `address` was asked for by joining, so that it pulls everything. */
  isAsking(address: string): boolean {
    return this.asking.has(address);
  }

  /** The exchange with `address` is over; `shown` tells whether everything the peer had is now here. */
  answered(address: string, shown: boolean): void {
    if (!this.asking.delete(address)) return;
    this.tried.add(address);
    if (shown) this.merged.add(address);
  }

  /** What health says: one that does not answer is not waited for. */
  answers(address: string, does: boolean): void {
    if (does) this.silent.delete(address);
    else this.silent.add(address);
  }

  poll(surroundings: JoiningSurroundings, nowUs: number): JoiningState {
    this.pace.look(nowUs);
    if (this.state.ready && this.state.caughtUp) return this.state;
    const next = this.next(surroundings, nowUs);
    // Once the time-out has made it ready it stays so, but it may still catch up.
    if (!this.state.ready || (next.ready && next.caughtUp)) this.state = next;
    return this.state;
  }

  private next(surroundings: JoiningSurroundings, nowUs: number): JoiningState {
    const { busConnected, peersKnown, history, historyMissing } = surroundings;
    if (historyMissing !== undefined) {
      return { ready: false, reason: `history is required: ${historyMissing}` };
    }
    if (!this.state.ready && this.pace.now >= this.options.readyTimeoutUs) {
      const reason = !busConnected
        ? 'no bus'
        : history === 'replaying'
          ? 'history not replayed'
          : 'no ready peer';
      return { ready: true, caughtUp: false, reason: `${reason} within the ready time-out` };
    }
    if (!busConnected) {
      // What peers showed before says nothing of what is published until the subscription stands again.
      this.merged.clear();
      return { ready: false, reason: 'waiting for the bus' };
    }
    const statuses = this.antiEntropy.addresses.map((address) => ({
      address,
      status: this.antiEntropy.statusOf(address),
    }));
    const ready = statuses.filter(({ status }) => status?.ready);
    // A stream that somebody has purged seems complete: a ready peer that is known already knows better.
    const unasked = ready.some(({ address }) => !this.merged.has(address) && !this.tried.has(address));
    if (history === 'done' && !unasked) return { ready: true, caughtUp: true, reason: 'history replayed' };
    if (!peersKnown) return { ready: false, reason: 'waiting for discovery' };

    // One that failed to show its state, though it says that it is ready, must not hold this replica up.
    const allAsked = statuses.every(
      ({ address }) =>
        this.merged.has(address) ||
        this.tried.has(address) ||
        this.silent.has(address) ||
        this.isSlow(address),
    );
    if (allAsked && ready.some(({ address }) => this.merged.has(address))) {
      return { ready: true, caughtUp: true, reason: 'caught up with its peers' };
    }
    if (ready.length === 0 && allAsked && history === 'young') {
      return { ready: true, caughtUp: true, reason: 'history replayed' };
    }
    if (ready.length === 0 && history === 'none') {
      if (statuses.length === 0) return { ready: true, caughtUp: true, reason: 'there is no peer' };
      const nothing = statuses.every(({ status }) => status && !status.context.hasEvents);
      if (nothing && !this.context.hasEvents)
        return { ready: true, caughtUp: true, reason: 'no event yet anywhere' };
    }
    this.ask(statuses, nowUs);
    if (ready.length > 0) return { ready: false, reason: 'pulling a snapshot from a peer' };
    const replaying = history === 'starting' || history === 'replaying';
    return { ready: false, reason: replaying ? 'replaying history' : 'waiting for a ready peer' };
  }

  /** Asks one peer: a ready one whose state is not here yet, else one that was not asked, else any again. */
  private ask(
    statuses: readonly { address: string; status: { ready: boolean } | undefined }[],
    nowUs: number,
  ): void {
    if (this.retryAtUs > this.pace.now) return;
    if ([...this.asking.keys()].some((address) => !this.isSlow(address))) return;
    const missing = statuses.filter(({ address }) => !this.merged.has(address) && !this.asking.has(address));
    const chosen =
      missing.find(({ status }) => status?.ready) ??
      missing.find(({ address }) => !this.tried.has(address)) ??
      missing[Math.floor(this.pace.now / this.options.retryUs) % missing.length];
    if (!chosen || !this.antiEntropy.compareWith(chosen.address, nowUs)) return;
    this.asking.set(chosen.address, this.pace.now);
    if (this.tried.has(chosen.address)) this.retryAtUs = this.pace.now + this.options.retryUs;
  }

  /** Whether it has been showing its state for so long that others need not wait for it. */
  private isSlow(address: string): boolean {
    const sinceUs = this.asking.get(address);
    return sinceUs !== undefined && sinceUs + this.options.slowAfterUs <= this.pace.now;
  }
}
