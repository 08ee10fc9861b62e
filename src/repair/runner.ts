/**
 * Carries out what repair decides, and feeds back what came: asks peers, pulls and merges snapshots, publishes heartbeats,
 * logs. The clock ticks here; it decides nothing.
 */
import type { Logger } from 'pino';
import type { Bus } from '../bus/bus';
import type { SnapshotSelection } from '../core/snapshot';
import type { SnapshotMerge } from '../core/snapshot-merge';
import type { SparseLines } from '../observability/sparse-lines';
import { heartbeatSubject } from '../wire/subjects';
import type { Surroundings } from './joining';
import { decodeHeartbeat, encodeHeartbeat, ProtocolFault, type PeerStatus } from './protocol';
import { NEWS, type Command, type Input, type Repair } from './repair';

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

type CommandOf<K extends Command['kind']> = Extract<Command, { kind: K }>;

export const TICK_MS = 100;
/** So many are read between two ticks: each costs up to 16 KiB of JSON, and anybody on the bus can send them. */
const MAX_HEARTBEATS_A_TICK = 100;

export class RepairRunner {
  private timer: NodeJS.Timeout | undefined;
  private heartbeats = 0;

  constructor(private readonly parts: RunnerParts) {}

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
    if (command.kind === 'ask') this.ask(command);
    else if (command.kind === 'pull') this.pull(command);
    else if (command.kind === 'heartbeat') this.publish(encodeHeartbeat(command.heartbeat));
    else if (command.kind === 'tell') this.tell(command);
    else if (this.parts.replayHistory(command.sinceUs)) this.step({ kind: 'replaying' });
  }

  private publish(heartbeat: Uint8Array): void {
    const { bus, repair, onTooLarge } = this.parts;
    if (heartbeat.length > (bus.maxPayload ?? Infinity)) onTooLarge();
    bus.publish(heartbeatSubject(repair.self.deployment), heartbeat);
  }

  private ask({ address, digestsAtUs }: CommandOf<'ask'>): void {
    const answer = this.parts.client.status(address, digestsAtUs);
    this.take(address, answer, (status) => this.step({ kind: 'status', address, status }));
  }

  private pull({ address, selection }: CommandOf<'pull'>): void {
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

  private tell({ news, fields }: CommandOf<'tell'>): void {
    const { lines, logger, onReady } = this.parts;
    if (news === 'ready') onReady();
    const [level, text] = NEWS[news];
    const write = (more: number): void => logger[level]({ ...fields, ...(more > 0 && { more }) }, text);
    // How the replica is itself is told at once.
    if (level === 'debug' || news === 'ready' || news === 'unready') write(0);
    else lines.say(`${news} ${fields.peer ?? ''}`, write);
  }
}
