/**
 * The bus's memory: keeps a stream of the load events where the server allows one, and replays it through the
 * replicator when the replica starts, after the bus was lost, and when events are missing that no peer has. Carries out
 * what the plan decides; knows what to tell about it.
 */
import type { Logger } from 'pino';
import type { NatsConnectionOptions } from '../bus/nats-connection';
import type { NatsServer } from '../bus/nats-servers';
import type { HistoryState } from '../repair/joining';
import { loadWildcard } from '../wire/subjects';
import { checkStream, ensureStream } from './ensure-stream';
import type { HistoryJob, ReplaySince } from './history-plan';
import { HistoryPlan } from './history-plan';
import { JetStreamFault, JetStreamLink, type FaultKind, type LinkTrouble } from './jetstream-link';
import type { StreamInfo, StreamSettings } from './stream-config';
import { reachesBack, shortfall, streamName, withoutQuorum } from './stream-config';
import { StreamReplay } from './stream-replay';

export interface HistoryOptions {
  readonly required: boolean;
  readonly stream: StreamSettings;
  readonly connection: NatsConnectionOptions;
}

export interface HistoryEvents {
  /** Whether requests are answered already, so that a replay has to leave them room. */
  isServing(): boolean;
  onMessage(payload: Uint8Array): void;
  /**
   * Everything in the stream has been replayed; `complete` when it held all that still matters, so that what
   * came before it has lost its meaning.
   */
  onReplayed(complete: boolean): void;
}

/** What the stream holds, as of the last look. */
export interface StreamFigures {
  readonly messages: number;
  readonly bytes: number;
  /** ISO 8601; undefined while it is empty. */
  readonly firstTime: string | undefined;
  readonly lastTime: string | undefined;
}

type HistoryFault = FaultKind | LinkTrouble | 'made-anew';

const TICK_MS = 100;
const PROGRESS_EVERY_MS = 2_000;
/** An event takes about 5 µs. A replica that answers requests leaves them half of its time. */
const PACES = { serving: { batch: 256, pauseMs: 2 }, starting: { batch: 2_048, pauseMs: 0 } } as const;

const HISTORY_PLAN_DEFAULTS = {
  checkEveryUs: 5_000_000,
  retryUs: 500_000,
  retryMostUs: 10_000_000,
  patienceUs: 6_000_000,
  silenceUs: 30_000_000,
} as const;

export class History {
  replayedTotal = 0;
  replays = 0;
  lastReplayMs: number | undefined;
  private readonly plan = new HistoryPlan(HISTORY_PLAN_DEFAULTS);
  private info: StreamInfo | undefined;
  private link: { readonly server: NatsServer; readonly opened: JetStreamLink } | undefined;
  private progress: { replayed: number; left: number } | undefined;
  private why = 'waiting for the bus';
  private lastFault = '';
  /** When the stream that was last seen was made. */
  private created: string | undefined;
  /** How often what went wrong, by reason. */
  readonly faults = new Map<HistoryFault, number>();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly options: HistoryOptions,
    /** The server that the bus is connected to. */
    private readonly busServer: () => NatsServer | undefined,
    private readonly events: HistoryEvents,
    private readonly nowUs: () => number,
    private readonly logger: Logger,
  ) {}

  start(): void {
    this.timer = setInterval(() => void this.tick(), TICK_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.timer = undefined;
    await this.drop();
  }

  get state(): HistoryState {
    return this.plan.state;
  }

  get available(): boolean {
    return this.plan.available;
  }

  /** Undefined while the stream is there and holds all that it should. */
  get problem(): string | undefined {
    if (!this.plan.available) return this.why;
    if (this.plan.owed) return `not replayed: ${this.lastFault}`;
    return this.info && shortfall(this.info, this.options.stream.maxAgeMs);
  }

  /** Whether a replay has failed that may bring what is missing here. */
  get owed(): boolean {
    return this.plan.owed;
  }

  /** Whether the replica is worse off than its operator may expect: a stream that was there or is required. */
  get degraded(): boolean {
    return this.owed || (this.problem !== undefined && (this.options.required || this.plan.wasAvailable));
  }

  /** Why a replica that must not start without history has to wait. */
  get missing(): string | undefined {
    if (!this.options.required || this.state === 'young' || this.state === 'done') return undefined;
    return this.problem ?? 'it is being replayed';
  }

  get figures(): StreamFigures | undefined {
    const state = this.info?.state;
    if (!state) return undefined;
    const empty = state.messages === 0;
    return {
      messages: state.messages,
      bytes: state.bytes,
      firstTime: empty ? undefined : state.first_ts,
      lastTime: empty ? undefined : state.last_ts,
    };
  }

  toJSON(): object {
    const { figures, progress, info } = this;
    return {
      state: this.state,
      available: this.available,
      reason: this.problem,
      stream: info?.config.name ?? streamName(this.options.stream.subjectPrefix),
      messages: figures?.messages,
      bytes: figures?.bytes,
      first_time: figures?.firstTime,
      last_time: figures?.lastTime,
      replayed: this.replayedTotal + (progress?.replayed ?? 0),
      to_replay: progress?.left ?? 0,
      replay_ms: this.lastReplayMs,
    };
  }

  /** Asks for a replay of what the stream took from `sinceUs` on; false when that is not possible now. */
  replay(sinceUs: number): boolean {
    return this.plan.request(sinceUs > 0 ? { timeUs: sinceUs } : 'start');
  }

  private async tick(): Promise<void> {
    const now = this.nowUs();
    this.plan.busChanged(this.busServer() !== undefined, now);
    const job = this.plan.next(now);
    if (!job) return;
    try {
      await this.carryOut(job);
    } catch (error) {
      if (this.timer !== undefined) await this.failed(job, error);
    }
  }

  private async carryOut(job: HistoryJob): Promise<void> {
    const link = await this.open();
    switch (job.kind) {
      case 'prepare':
        await this.prepare(link);
        return;
      case 'check':
        this.see(await checkStream(link, this.streamName, this.options.stream));
        this.plan.checked(this.nowUs());
        return;
      case 'replay':
        await this.run(link, job.since);
    }
  }

  private async prepare(link: JetStreamLink): Promise<void> {
    const { info, how, notes } = await ensureStream(link, this.options.stream);
    const problem = withoutQuorum(info);
    if (problem !== undefined) throw new JetStreamFault('passing', problem);
    this.see(info);
    this.why = '';
    this.plan.prepared(this.nowUs());
    const { name } = info.config;
    this.logger.info({ stream: name, messages: info.state.messages }, `history stream ${how}`);
    if (notes.length > 0) {
      this.logger.warn(
        { stream: name, settings: notes },
        'the stream differs from the environment; left as it is',
      );
    }
  }

  private async run(link: JetStreamLink, since: ReplaySince): Promise<void> {
    const info = await checkStream(link, this.streamName, this.options.stream);
    this.see(info);
    const started = performance.now();
    let loggedAt = started;
    const request = {
      stream: info.config.name,
      filterSubject: loadWildcard(this.options.stream.subjectPrefix),
      since,
      pace: this.events.isServing() ? PACES.serving : PACES.starting,
      lastSeq: info.state.last_seq,
    };
    const replay = new StreamReplay(link, request, {
      onMessage: (payload) => this.events.onMessage(payload),
      onProgress: (replayed, left) => {
        this.progress = { replayed, left };
        if (performance.now() - loggedAt < PROGRESS_EVERY_MS) return;
        loggedAt = performance.now();
        this.logger.info({ replayed, left }, 'replaying history');
      },
    });
    try {
      const replayed = info.state.messages === 0 ? 0 : await replay.run();
      this.lastReplayMs = Math.round(performance.now() - started);
      this.replays++;
      this.logger.info({ replayed, ms: this.lastReplayMs }, 'history replayed');
    } finally {
      this.replayedTotal += this.progress?.replayed ?? 0;
      this.progress = undefined;
    }
    const { maxAgeMs } = this.options.stream;
    const nowUs = this.nowUs();
    const complete = reachesBack(info, maxAgeMs, nowUs / 1000) && shortfall(info, maxAgeMs) === undefined;
    this.plan.replayed(since, complete, nowUs);
    if (!this.plan.owed) this.lastFault = '';
    if (since === 'start') this.events.onReplayed(complete);
  }

  private async failed(job: HistoryJob, error: unknown): Promise<void> {
    const fault = error instanceof JetStreamFault ? error : new JetStreamFault('passing', String(error));
    this.plan.failed(job, fault.kind !== 'refused', this.nowUs());
    this.count(fault.kind);
    if (this.lastFault !== fault.message) {
      this.logger.warn({ reason: fault.message, during: job.kind }, 'no history');
    }
    this.why = this.lastFault = fault.message;
    this.info = undefined;
    if (fault.kind === 'passing' || this.link?.opened.isSound !== true) await this.drop();
  }

  private see(info: StreamInfo): void {
    if (this.created !== undefined && this.created !== info.created) {
      this.count('made-anew');
      this.logger.warn(
        { stream: info.config.name, created: info.created },
        'history stream made anew: what it held before is gone',
      );
    }
    this.created = info.created;
    this.info = info;
  }

  private count(reason: HistoryFault): void {
    this.faults.set(reason, (this.faults.get(reason) ?? 0) + 1);
  }

  private get streamName(): string {
    return this.info?.config.name ?? streamName(this.options.stream.subjectPrefix);
  }

  /** The link to the server that the bus is connected to now. */
  private async open(): Promise<JetStreamLink> {
    const server = this.busServer();
    if (!server) throw new JetStreamFault('passing', 'the bus is not connected');
    if (this.link?.server === server && this.link.opened.isOpen) return this.link.opened;
    await this.drop();
    const opened = await JetStreamLink.open(server, this.options.connection, (reason) => this.count(reason));
    this.link = { server, opened };
    if (this.timer === undefined) await this.drop();
    return opened;
  }

  private async drop(): Promise<void> {
    const { link } = this;
    this.link = undefined;
    await link?.opened.close();
  }
}
