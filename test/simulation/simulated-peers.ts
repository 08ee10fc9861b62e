/**
 * What replicas ask each other, on the simulated network: requests that time out, are refused or answered late, and
 * snapshots that stream over virtual time while the state changes, or break off. Everything travels as text.
 */
import type { ContextOptions } from '../../src/core/causal-context';
import type { SnapshotSelection } from '../../src/core/snapshot';
import { queryValue } from '../../src/http/query-string';
import type { Answering } from '../../src/repair/answering';
import type { Identity, PeerStatus, Query } from '../../src/repair/protocol';
import { ProtocolFault, readStatus, snapshotPath, statusPath } from '../../src/repair/protocol';
import type { PeerRequests } from '../../src/repair/runner';
import type { Chance } from './chance';
import type { EventQueue } from './event-queue';
import type { Fact, Oracle } from './oracle';
import { SECOND } from './scenario';

/** A promise that is settled within virtual time, by a plain call. */
class Answer<T> implements PromiseLike<T> {
  private settled = false;
  private onValue: ((value: T) => unknown) | undefined;
  private onError: ((error: unknown) => unknown) | undefined;

  then<A, B>(
    onValue?: ((value: T) => A | PromiseLike<A>) | null,
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): PromiseLike<A | B> {
    this.onValue = onValue ?? undefined;
    this.onError = onError ?? undefined;
    return this as unknown as PromiseLike<A | B>;
  }

  get isSettled(): boolean {
    return this.settled;
  }

  resolve(value: T): void {
    if (this.settled) return;
    this.settled = true;
    this.onValue?.(value);
  }

  reject(reason: string | Error): void {
    if (this.settled) return;
    this.settled = true;
    this.onError?.(typeof reason === 'string' ? new Error(reason) : reason);
  }
}

/** The side of a process that the network sees. */
export interface Reachable {
  readonly host: number;
  readonly alive: boolean;
  viewNowUs(): number;
  /** Runs it when the process next runs; never when it has died. */
  run(action: () => void): void;
  learns(fact: Fact, withOwner?: boolean): void;
  /** How long an owner has been heard of, by its adds. */
  learnsSign(owner: string, newestAddUs: number): void;
  status(query: Query): ReturnType<Answering['status']>;
  snapshot(query: Query): Iterable<string>;
  streaming: number;
}

export interface PeerNetworkOptions {
  readonly retentionUs: number;
  readonly latencyUs: number;
  readonly snapshotPieceLines: number;
  readonly snapshotPieceUs: number;
  readonly snapshotFailures: number;
}

interface Transfer {
  readonly answer: Answer<void>;
  readonly onLine: (line: string) => void;
  activeUs: number;
  /** A piece was lost: nothing behind it arrives. */
  cut: boolean;
}

const TIMEOUT_US = SECOND;
const MOST_SNAPSHOTS = 4;

export class PeerNetwork {
  snapshotFailures: number;
  /** Of all that was answered. */
  bytes = 0;
  private readonly blocked = new Map<string, number>();
  /** When a pair of hosts was last kept apart, or one of them was not there. */
  private readonly disturbedUs = new Map<string, number>();

  constructor(
    readonly queue: EventQueue,
    readonly chance: Chance,
    readonly oracle: Oracle,
    readonly options: PeerNetworkOptions,
    /** The process behind an address, if there is one. */
    readonly at: (address: string) => Reachable | undefined,
  ) {
    this.snapshotFailures = options.snapshotFailures;
  }

  block(from: number, to: number): void {
    const key = `${from}>${to}`;
    this.blocked.set(key, (this.blocked.get(key) ?? 0) + 1);
  }

  unblock(from: number, to: number): void {
    const key = `${from}>${to}`;
    const blocks = (this.blocked.get(key) ?? 0) - 1;
    if (blocks > 0) this.blocked.set(key, blocks);
    else this.blocked.delete(key);
    this.disturbedUs.set(key, this.queue.nowUs);
  }

  unblockAll(): void {
    for (const key of this.blocked.keys()) this.disturbedUs.set(key, this.queue.nowUs);
    this.blocked.clear();
    this.snapshotFailures = 0;
  }

  isBlocked(from: number, to: number): boolean {
    return this.blocked.has(`${from}>${to}`);
  }

  /** Whether requests of one host have reached the other since then. */
  isOpenSince(from: number, to: number, sinceUs: number): boolean {
    return !this.isBlocked(from, to) && (this.disturbedUs.get(`${from}>${to}`) ?? -Infinity) < sinceUs;
  }

  latency(): number {
    return this.options.latencyUs * 0.3 + this.chance.wait(this.options.latencyUs);
  }
}

export class SimulatedPeers implements PeerRequests {
  constructor(
    private readonly network: PeerNetwork,
    private readonly self: Reachable,
    private readonly identity: Identity,
    private readonly context: ContextOptions,
  ) {}

  status(address: string, digestsAtUs: number | undefined): PromiseLike<PeerStatus> {
    const answer = new Answer<PeerStatus>();
    this.request(address, answer, (peer) => {
      const query = queryOf(statusPath(this.identity, digestsAtUs));
      this.answerOr(peer, answer, () => {
        const text = JSON.stringify(peer.status(query));
        this.network.bytes += text.length;
        this.deliver(this.network.latency(), peer, answer, () => {
          let status: PeerStatus;
          try {
            status = readStatus(JSON.parse(text), this.identity, this.context);
          } catch (error) {
            answer.reject(error as Error);
            return;
          }
          answer.resolve(status);
        });
      });
    });
    this.failAfter(TIMEOUT_US, answer, 'no answer in time');
    return answer;
  }

  snapshot(
    address: string,
    selection: SnapshotSelection | undefined,
    onLine: (line: string) => void,
  ): PromiseLike<void> {
    const answer = new Answer<void>();
    const transfer: Transfer = { answer, onLine, activeUs: this.network.queue.nowUs, cut: false };
    this.request(address, answer, (peer) => {
      if (peer.streaming >= MOST_SNAPSHOTS) {
        this.deliver(this.network.latency(), peer, answer, () => answer.reject('busy'));
        return;
      }
      this.answerOr(peer, answer, () => {
        const lines = peer.snapshot(queryOf(snapshotPath(this.identity, selection)))[Symbol.iterator]();
        peer.streaming++;
        this.stream(peer, lines, transfer, 0);
      });
    });
    this.watch(transfer);
    return answer;
  }

  /** Sends a piece, then the next one a while later: the state changes in between. */
  private stream(peer: Reachable, lines: Iterator<string>, transfer: Transfer, notBeforeUs: number): void {
    const { answer, onLine } = transfer;
    const { chance, options, oracle, queue } = this.network;
    const piece: string[] = [];
    let done = false;
    const broken = chance.is(this.network.snapshotFailures / 3);
    for (let i = 0; i < options.snapshotPieceLines && !done; i++) {
      const next = lines.next();
      if (next.done) done = true;
      else piece.push(next.value);
    }
    if (broken) piece.length = chance.below(piece.length + 1);
    for (const line of piece) this.network.bytes += line.length + 1;
    const arrivalUs = Math.max(queue.nowUs + this.network.latency(), notBeforeUs);
    queue.at(arrivalUs, () => {
      if (this.network.isBlocked(this.self.host, peer.host)) transfer.cut = true;
    });
    this.deliver(arrivalUs - queue.nowUs, peer, answer, () => {
      if (transfer.cut) return;
      transfer.activeUs = queue.nowUs;
      for (const line of piece) {
        const facts = [...oracle.factsOfLine(line)];
        onLine(line);
        const owner = oracle.ownerOfLine(line);
        if (owner && Math.max(...owner.timesUs) > this.self.viewNowUs() + options.retentionUs) continue;
        for (const fact of facts) this.self.learns(fact, oracle.namesOwner(line));
        if (owner) this.self.learnsSign(owner.name, owner.newestAddUs);
      }
      if (broken && chance.is(0.8)) answer.reject('the snapshot broke off');
      else if (done || broken) answer.resolve();
    });
    if (done || broken || answer.isSettled) {
      peer.streaming--;
      return;
    }
    const nextPiece = (): void => this.stream(peer, lines, transfer, arrivalUs);
    queue.after(options.snapshotPieceUs, () => peer.run(nextPiece));
  }

  private watch(transfer: Transfer): void {
    this.network.queue.after(TIMEOUT_US, () => {
      if (transfer.answer.isSettled) return;
      if (this.network.queue.nowUs - transfer.activeUs < TIMEOUT_US) this.watch(transfer);
      else this.failAfter(0, transfer.answer, 'stalled');
    });
  }

  /** What the peer refuses to answer comes back as an error of the protocol. */
  private answerOr<T>(peer: Reachable, answer: Answer<T>, serve: () => void): void {
    try {
      serve();
    } catch (error) {
      if (!(error instanceof ProtocolFault)) throw error;
      this.deliver(this.network.latency(), peer, answer, () => answer.reject(error));
    }
  }

  private request<T>(address: string, answer: Answer<T>, serve: (peer: Reachable) => void): void {
    const { queue, at } = this.network;
    queue.after(this.network.latency(), () => {
      const peer = at(address);
      if (!peer?.alive) this.fail(answer, 'connection refused');
      else if (!this.network.isBlocked(this.self.host, peer.host)) peer.run(() => serve(peer));
    });
  }

  /** Hands the peer's answer over, unless it is cut off meanwhile. */
  private deliver<T>(delayUs: number, peer: Reachable, answer: Answer<T>, action: () => void): void {
    this.network.queue.after(delayUs, () => {
      if (answer.isSettled) return;
      if (!peer.alive) this.fail(answer, 'connection reset');
      else if (this.network.isBlocked(this.self.host, peer.host))
        this.failAfter(TIMEOUT_US, answer, 'stalled');
      else {
        this.self.run(() => {
          if (!answer.isSettled) action();
        });
      }
    });
  }

  private fail<T>(answer: Answer<T>, reason: string): void {
    this.failAfter(this.network.latency(), answer, reason);
  }

  private failAfter<T>(delayUs: number, answer: Answer<T>, reason: string): void {
    this.network.queue.after(delayUs, () => {
      if (!answer.isSettled) this.self.run(() => answer.reject(reason));
    });
  }
}

function queryOf(path: string): Query {
  return (name) => queryValue(path, name);
}
