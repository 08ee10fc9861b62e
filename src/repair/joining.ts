/**
 * When a starting replica has caught up: a table. What its peers have shown makes the row, what the bus's history has shown
 * the column, and the cell says whether it is ready and why. Pure.
 */
import type { Peer } from './peer';

/**
 * What the bus's memory has shown. `none`: there is none to ask. `failing`: there is one, or may be, and it can't be
 * replayed now. `starting`, `replaying`: it soon will have been. `young`: replayed, but it may have begun after events that still
 * matter, so a ready peer knows better. `done`: replayed, and it reaches back far enough.
 */
export type HistoryState = 'none' | 'failing' | 'starting' | 'replaying' | 'young' | 'done';

/**
 * What the peers have shown. `unknown`: discovery has not answered yet. `none`: there are none. `unasked`: none is ready,
 * and some have still to answer. `joining`: none is ready, and each has answered or does not. `empty`: all have
 * answered, none is ready, and none has an event. `owing`: one that is ready has still to show its state. `unable`: those that
 * are ready were asked in vain, or some address has still to answer. `shown`: one that is ready has shown its state, and none
 * of the others is to be waited for.
 */
export type PeersState = 'unknown' | 'none' | 'unasked' | 'joining' | 'empty' | 'owing' | 'unable' | 'shown';

type Cell = Omit<JoiningState, 'ready'>;
const wait = (reason: string): Cell => ({ caughtUp: false, reason });
const ready = (reason: string): Cell => ({ caughtUp: true, reason });

const DISCOVERY = wait('waiting for discovery');
const REPLAYING = wait('replaying history');
const OWED = wait('the history cannot be replayed');
const PULLING = wait('pulling a snapshot from a peer');
const WAITING = wait('waiting for a ready peer');
const REPLAYED = ready('history replayed');
const BY_PEERS = ready('caught up with its peers');
const ALONE = ready('there is no peer');
const NOTHING = ready('no event yet anywhere');

/* prettier-ignore */
export const JOINING: Readonly<Record<PeersState, Readonly<Record<HistoryState, Cell>>>> = {
  //         none           failing          starting             replaying             young             done
  unknown: { none: DISCOVERY, failing: DISCOVERY, starting: DISCOVERY, replaying: DISCOVERY, young: DISCOVERY, done: REPLAYED },
  none:    { none: ALONE,     failing: OWED,      starting: REPLAYING, replaying: REPLAYING, young: REPLAYED, done: REPLAYED },
  unasked: { none: WAITING,   failing: OWED,      starting: REPLAYING, replaying: REPLAYING, young: WAITING,    done: REPLAYED },
  joining: { none: WAITING,   failing: OWED,      starting: REPLAYING, replaying: REPLAYING, young: REPLAYED, done: REPLAYED },
  empty:   { none: NOTHING,   failing: OWED,      starting: REPLAYING, replaying: REPLAYING, young: REPLAYED, done: REPLAYED },
  owing:   { none: PULLING,   failing: PULLING,   starting: PULLING,   replaying: PULLING,   young: PULLING,    done: PULLING },
  unable:  { none: PULLING,   failing: PULLING,   starting: PULLING,   replaying: PULLING,   young: PULLING,    done: REPLAYED },
  shown:   { none: BY_PEERS,  failing: BY_PEERS,  starting: BY_PEERS,  replaying: BY_PEERS,  young: BY_PEERS,   done: BY_PEERS },
};

/** What peers have shown. `known`: discovery has answered. `isSlow`: one that is being asked and need not be waited for. */
export function stateOfPeers(
  peers: readonly Peer[],
  known: boolean,
  hasEvents: boolean,
  isSlow: (peer: Peer) => boolean,
): PeersState {
  if (!known) return 'unknown';
  if (peers.length === 0) return 'none';
  const answered = peers.every(({ status, misses }) => status ?? misses > 0);
  const ready = peers.filter(({ status }) => status?.ready);
  const owing = ready.filter(({ failed, shown }) => !failed && !shown);
  if (answered && owing.every(isSlow) && ready.some(({ shown }) => shown)) return 'shown';
  if (ready.length > 0) return owing.length > 0 ? 'owing' : 'unable';
  if (!hasEvents && peers.every(({ status }) => status && !status.context.hasEvents)) return 'empty';
  return answered ? 'joining' : 'unasked';
}

/** What joining depends on outside of the room. */
export interface Surroundings {
  /** Subscribed: what others publish from now on arrives. */
  readonly busConnected: boolean;
  /** Whether discovery has answered once, or there is none to ask. */
  readonly peersKnown: boolean;
  readonly history: HistoryState;
  /** Why the history that this replica must not start without is not there; undefined when nothing is in the way. */
  readonly historyMissing?: string | undefined;
}

export interface JoiningState {
  readonly ready: boolean;
  /** False where only the time-out has made it ready. */
  readonly caughtUp: boolean;
  readonly reason: string;
}

/** `late`: the time within which it should have caught up is over. Once ready it stays so, but may still catch up. */
export function joined(
  before: JoiningState,
  { busConnected, history, historyMissing }: Surroundings,
  peers: PeersState,
  late: boolean,
): JoiningState {
  if (before.caughtUp) return before;
  const cell = busConnected ? JOINING[peers][history] : wait('waiting for the bus');
  if (historyMissing === undefined && cell.caughtUp) return { ready: true, ...cell };
  if (before.ready) return before;
  if (historyMissing !== undefined)
    return { ready: false, ...wait(`history is required: ${historyMissing}`) };
  if (!late) return { ready: false, ...cell };
  const owed = history === 'failing' || history === 'starting' || history === 'replaying';
  const what = !busConnected ? 'no bus' : owed ? 'history not replayed' : 'no ready peer';
  return { ready: true, ...wait(`${what} within the ready time-out`) };
}
