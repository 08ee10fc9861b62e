/**
 * Carries out what repair decides, and feeds back what came: asks peers, pulls and merges snapshots, publishes heartbeats,
 * logs. The clock ticks here; it decides nothing.
 */
import type { Logger } from 'pino';
import type { Bus } from '../bus/bus';
import type { LoadStats } from '../core/load-stats';
import type { SnapshotSelection } from '../core/snapshot';
import type { SnapshotMerge } from '../core/snapshot-merge';
import type { SparseLines } from '../observability/sparse-lines';
import { heartbeatSubject } from '../wire/subjects';
import type { Surroundings } from './joining';
import type { PeerState } from './peer-table';
import { decodeHeartbeat, encodeHeartbeat, ProtocolFault, type PeerStatus } from './protocol';
import { type Command, type Input, type News, type Repair } from './repair';

/** How other replicas are asked: over HTTP, or through the network of a simulation. */
export interface PeerRequests {
  /** `digestsAtUs` asks for digests too, of what matters at that time. Rejects with a ProtocolFault where a peer is of another deployment. */
  status(address: string, digestsAtUs: number | undefined): PromiseLike<PeerStatus>;
  /** Hands each line of the peer's snapshot to `onLine`; what that throws ends the transfer. */
  snapshot(
    address: string,
    selection: SnapshotSelection | undefined,
    onLine: (line: string) => void,
  ): PromiseLike<void>;
}

export interface RunnerParts {
  readonly repair: Repair;
  readonly stats: LoadStats;
  readonly bus: Bus;
  readonly client: PeerRequests;
  readonly surroundings: () => Surroundings;
  /** Replays what the bus remembers from that time on, 0 for everything; false when it can't now. */
  readonly replayHistory: (sinceUs: number) => boolean;
  /** The replica has caught up, or given up waiting. */
  readonly onReady: () => void;
  /** A heartbeat is larger than the bus takes. */
  readonly onTooLarge: () => void;
  readonly nowUs: () => number;
  readonly monotonicUs: () => number;
  readonly logger: Logger;
  /** Of what peers and the bus can cause. */
  readonly lines: SparseLines;
  /** Takes in one snapshot. */
  readonly newMerge: () => SnapshotMerge;
}

export const TICK_MS = 100;
/** So many are read between two ticks: each costs up to 16 KiB of JSON, and anybody on the bus can send them. */
const MAX_HEARTBEATS_A_TICK = 100;

type Level = 'debug' | 'info' | 'warn' | 'error';

const LINES: Readonly<Record<Exclude<News['what'], 'peer'> | `peer ${PeerState}`, readonly [Level, string]>> =
  {
    ready: ['info', 'ready'],
    unready: ['error', 'no longer ready'],
    'given-up': ['warn', 'lost events given up: no live peer has them'],
    divergence: ['error', 'replicas that have seen the same events differ; merging both ways'],
    repaired: ['debug', 'pulled from a peer'],
    skipped: ['info', 'a peer shows kinds of records that this version does not know; left out'],
    clock: [
      'warn',
      'the clock of a replica differs from those of the others: beyond the finished retention its reports are refused',
    ],
    'peer ready': ['info', 'peer reachable again'],
    'peer joining': ['info', 'peer reachable again'],
    'peer unreachable': ['warn', 'peer unreachable'],
    'peer other-deployment': [
      'warn',
      'an address of the discovery name belongs to another deployment: it is not asked for its state',
    ],
    'peer itself': [
      'warn',
      'an address of the discovery name leads back to this replica: if it is that of a load balancer, other replicas cannot be found behind it',
    ],
  };

export class RepairRunner {
  private readonly heartbeatSubject: string;
  private timer: NodeJS.Timeout | undefined;
  private heartbeats = 0;
  private givenUp = { origins: 0, events: 0 };

  constructor(private readonly parts: RunnerParts) {
    this.heartbeatSubject = heartbeatSubject(parts.repair.self.deployment);
  }

  start(): void {
    this.timer = setInterval(() => this.tick(), TICK_MS);
    this.tick();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** One step of the decisions, every `TICK_MS`. */
  tick(): void {
    this.heartbeats = 0;
    this.parts.lines.flush();
    this.step({ kind: 'tick', around: this.parts.surroundings() });
  }

  setPeers(addresses: readonly string[]): void {
    this.step({ kind: 'addresses', addresses });
  }

  /** Takes a heartbeat; false when it is none. One of a later version may say what it likes. */
  hear(payload: Uint8Array): boolean {
    if (this.heartbeats++ >= MAX_HEARTBEATS_A_TICK) {
      this.parts.repair.counts.heartbeatsRefused++;
      return true;
    }
    const heartbeat = decodeHeartbeat(payload);
    if (typeof heartbeat === 'object') this.step({ kind: 'heartbeat', heartbeat });
    return heartbeat !== 'invalid';
  }

  private step(input: Input): void {
    const { repair, nowUs, monotonicUs } = this.parts;
    for (const command of repair.step(input, nowUs(), monotonicUs())) this.carryOut(command);
  }

  private carryOut(command: Command): void {
    const { client, replayHistory } = this.parts;
    switch (command.kind) {
      case 'ask': {
        const { address, digestsAtUs } = command;
        this.take(address, client.status(address, digestsAtUs), (status) =>
          this.step({ kind: 'status', address, status }),
        );
        return;
      }
      case 'pull':
        this.pull(command.address, command.selection);
        return;
      case 'heartbeat':
        this.publish(encodeHeartbeat(command.heartbeat));
        return;
      case 'replay':
        if (replayHistory(command.sinceUs)) this.step({ kind: 'replaying' });
        return;
      case 'tell':
        this.tell(command.news);
    }
  }

  private publish(heartbeat: Uint8Array): void {
    const { bus, onTooLarge } = this.parts;
    if (heartbeat.length > (bus.maxPayload ?? Infinity)) onTooLarge();
    bus.publish(this.heartbeatSubject, heartbeat);
  }

  private pull(address: string, selection: SnapshotSelection | undefined): void {
    const { client, newMerge, nowUs } = this.parts;
    const merge = newMerge();
    const transfer = client.snapshot(address, selection, (line) => merge.line(line, nowUs()));
    this.take(address, transfer, () => this.step({ kind: 'pulled', address, merge }), merge);
  }

  /** Nothing that a peer sends may bring this replica down: a fault of ours in taking it in counts as no answer. */
  private take<T>(
    address: string,
    answer: PromiseLike<T>,
    onValue: (value: T) => void,
    merge?: SnapshotMerge,
  ): void {
    const onError = (error: unknown): void => {
      this.parts.logger.debug({ peer: address, err: error }, merge ? 'pull failed' : 'peer not reached');
      const reason = error instanceof Error ? error.message : String(error);
      const foreign = error instanceof ProtocolFault && error.kind === 'other-deployment';
      this.step({ kind: 'failed', address, reason, foreign, named: merge?.context });
    };
    answer.then((value) => {
      try {
        onValue(value);
        // A replica that starts may have waited for just this.
        if (!this.parts.repair.joining.caughtUp) this.tick();
      } catch (error) {
        this.parts.logger.error({ err: error }, 'what a peer answered could not be taken in');
        onError(error);
      }
    }, onError);
  }

  private tell(news: News): void {
    const { lines, logger, onReady } = this.parts;
    if (news.what === 'ready') onReady();
    if (news.what === 'given-up') {
      logger.debug({ ...news, what: undefined }, 'lost events of an origin given up');
      this.givenUp.origins++;
      this.givenUp.events += news.seqs.count;
    }
    const kind = news.what === 'peer' ? (`peer ${news.state}` as const) : news.what;
    // How the replica is itself is told at once.
    if (kind === 'ready' || kind === 'unready' || kind === 'repaired') this.write(news, kind, 0);
    else lines.say(`${kind} ${'peer' in news ? news.peer : ''}`, (more) => this.write(news, kind, more));
  }

  private write(news: News, kind: keyof typeof LINES, more: number): void {
    const { logger, repair, stats } = this.parts;
    const fields: Record<string, unknown> = { ...news, what: undefined, ...(more > 0 && { more }) };
    // Every line names this replica.
    if ('replica' in news) Object.assign(fields, { replica: undefined, peer_replica: news.replica });
    if (kind === 'ready') Object.assign(fields, { holes: repair.missing, in_flight: stats.inFlight.size });
    if (kind === 'given-up') {
      Object.assign(fields, { origin: undefined, seqs: undefined, ...this.givenUp });
      this.givenUp = { origins: 0, events: 0 };
    }
    const [level, text] = LINES[kind];
    // One that was never there is starting, as this replica is.
    const isStarting = kind === 'peer unreachable' && 'known' in news && !news.known;
    logger[isStarting ? 'info' : level](fields, text);
  }
}
