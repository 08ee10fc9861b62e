/**
 * Decides what to do about the history and when: find or make the stream, replay it, look at it again, or wait. Pure:
 * time is an argument, one job is out at a time, and each job is answered by exactly one call.
 */
import type { HistoryState } from '../replication/joining';

export type HistoryJob =
  /** Find or make the stream. Answered by `prepared` or `failed`. */
  | { readonly kind: 'prepare' }
  /** Answered by `replayed` or `failed`. */
  | { readonly kind: 'replay'; readonly since: ReplaySince }
  /** Look at the stream's state. Answered by `checked` or `failed`. */
  | { readonly kind: 'check' };

export type ReplaySince = 'start' | { readonly timeUs: number };

export interface HistoryPlanOptions {
  readonly checkEveryUs: number;
  /** First and longest pause after a failure. */
  readonly retryUs: number;
  readonly retryMostUs: number;
  /** For how long failures that are likely to pass keep a starting replica waiting for its history. */
  readonly patienceUs: number;
  /** How long before a lost bus was noticed it may have been silent already. */
  readonly silenceUs: number;
}

export class HistoryPlan {
  private busUp = false;
  private jobUnderWay = false;
  private streamIsThere = false;
  private hadStream = false;
  private caughtUp: 'young' | 'done' | undefined;
  private hopeless = false;
  private failingSinceUs: number | undefined;
  private wanted: ReplaySince | undefined = 'start';
  private dueUs = 0;
  private pauseUs: number;
  private busLostUs: number | undefined;
  private replaying = false;

  constructor(private readonly options: HistoryPlanOptions) {
    this.pauseUs = options.retryUs;
  }

  /** For joining: once the first replay has ended, this does not go back. */
  get state(): HistoryState {
    if (this.caughtUp) return this.caughtUp;
    if (this.hopeless) return 'none';
    return this.replaying ? 'replaying' : 'starting';
  }

  /** Whether the stream is known to be there now. */
  get available(): boolean {
    return this.streamIsThere;
  }

  /** Whether the stream has been there since this replica started. */
  get wasAvailable(): boolean {
    return this.hadStream;
  }

  busChanged(connected: boolean, nowUs: number): void {
    if (connected === this.busUp) return;
    this.busUp = connected;
    if (connected) {
      this.dueUs = nowUs;
      // Events that were published meanwhile, by replicas that may be gone since, are in the stream.
      if (this.busLostUs !== undefined) this.want({ timeUs: this.busLostUs - this.options.silenceUs });
    } else {
      this.busLostUs = nowUs;
      this.streamIsThere = false;
    }
  }

  /** Asks for a replay: false when there is no stream to replay now, or one is under way or waiting already. */
  request(since: ReplaySince): boolean {
    if (!this.streamIsThere || this.replaying || this.wanted !== undefined) return false;
    this.want(since);
    return true;
  }

  /** The job to do now, which is then under way. */
  next(nowUs: number): HistoryJob | undefined {
    if (this.jobUnderWay || !this.busUp) return undefined;
    const job = this.choose(nowUs);
    this.jobUnderWay = job !== undefined;
    this.replaying = job?.kind === 'replay';
    return job;
  }

  prepared(nowUs: number): void {
    this.succeeded(nowUs);
    this.hadStream = true;
    this.streamIsThere = this.busUp;
  }

  checked(nowUs: number): void {
    this.succeeded(nowUs);
  }

  /** `reachesBack`: the stream holds every event that still matters. */
  replayed(since: ReplaySince, reachesBack: boolean, nowUs: number): void {
    this.succeeded(nowUs);
    if (this.caughtUp !== 'done' && since === 'start') this.caughtUp = reachesBack ? 'done' : 'young';
  }

  /** `passing`: likely to be over within seconds. */
  failed(job: HistoryJob, passing: boolean, nowUs: number): void {
    this.jobUnderWay = false;
    this.replaying = false;
    this.streamIsThere = false;
    if (job.kind === 'replay') this.want(job.since);
    this.failingSinceUs ??= nowUs;
    if (!passing || nowUs - this.failingSinceUs >= this.options.patienceUs) this.hopeless = true;
    this.dueUs = nowUs + this.pauseUs;
    this.pauseUs = Math.min(this.pauseUs * 2, this.options.retryMostUs);
  }

  private choose(nowUs: number): HistoryJob | undefined {
    if (!this.streamIsThere) return this.dueUs <= nowUs ? { kind: 'prepare' } : undefined;
    if (this.wanted !== undefined) {
      const since = this.wanted;
      this.wanted = undefined;
      return { kind: 'replay', since };
    }
    return this.dueUs <= nowUs ? { kind: 'check' } : undefined;
  }

  private succeeded(nowUs: number): void {
    this.jobUnderWay = false;
    this.replaying = false;
    this.hopeless = false;
    this.failingSinceUs = undefined;
    this.pauseUs = this.options.retryUs;
    this.dueUs = nowUs + this.options.checkEveryUs;
  }

  /** The earlier of two wishes covers both. */
  private want(since: ReplaySince): void {
    const before = this.wanted;
    if (before === 'start') return;
    const earlier = since === 'start' || before === undefined || since.timeUs < before.timeUs;
    if (earlier) this.wanted = since;
  }
}
