/**
 * The client of Metadata Center for gateways that run on Node.js: selects engines, reports requests and watches rows at any of the
 * replicas, and keeps the rules that make that safe.
 */
import { setMaxListeners } from 'node:events';
import { mayHaveHappened } from './answers';
import { Addresses } from './addresses';
import { Booking } from './booking';
import { Caller } from './caller';
import { readRow } from './engine-row';
import type { MetadataCenterError } from './errors';
import type { RowChange } from './own-reports';
import { ReplicaChoice } from './replica-choice';
import type { Op } from './report-queue';
import { Reporter } from './reporter';
import { nodeSurroundings, type Surroundings } from './surroundings';
import { Transport } from './transport';
import { View } from './view';
import { keepOpen } from './watch-stream';

export interface MetadataCenterOptions {
  /**
   * Where the replicas are: `name:port`, whose addresses are looked up every 5 s, or a URL; or several of them. With `https` the
   * name itself is dialled.
   */
  readonly replicas: string | readonly string[];
  /** Or how to get it, for one that changes. */
  readonly token?: string | (() => string) | undefined;
  /** The longest that one attempt of a call may take: 1 to 60,000; 100 unless it is given. */
  readonly timeoutMs?: number | undefined;
  /** Of a call, each at the next replica: 1 to 100; 3 unless it is given. */
  readonly attempts?: number | undefined;
  /** How long requests of this process count after its last sign of life: 3,000 to 300,000; 15,000 unless it is given. */
  readonly leaseMs?: number | undefined;
  /**
   * How often a request that still runs is told to the replicas: a quarter of their expiry or less, 100 to 86,400,000; 60,000 unless
   * it is given.
   */
  readonly refreshMs?: number | undefined;
  /**
   * Of reports in one call: 1 to 512, 128 unless it is given; and how long one waits for others: 0 to 60,000, 2 unless it is
   * given.
   */
  readonly batch?:
    { readonly maxEvents?: number | undefined; readonly delayMs?: number | undefined } | undefined;
  /** Reports that may wait: 1 to 10,000,000; 10,000 unless it is given. */
  readonly maxQueued?: number | undefined;
  /** How long `close` waits for reports: 0 to 86,400,000; 5,000 unless it is given. */
  readonly closeMs?: number | undefined;
  /** A dispatcher of undici, for TLS, proxies and pools. */
  readonly dispatcher?: unknown;
  /** Told of each report that was refused for good. */
  readonly onRefused?: ((error: MetadataCenterError, op: Op) => void) | undefined;
}

export interface SelectOptions {
  readonly cluster: string;
  /** Tokens; 0 unless it is given. */
  readonly promptLength?: number | undefined;
  /** Absent: the engines that have a row. */
  readonly candidates?: readonly (string | { readonly ip: string; readonly credit?: number })[] | undefined;
  readonly requestCost?: number | undefined;
  readonly maxQueued?: number | undefined;
  readonly maxPromptLength?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface AddOptions {
  readonly cluster: string;
  /** The address of the engine. */
  readonly ip: string;
  readonly promptLength?: number | undefined;
}

export interface WatchOptions {
  /** At most one frame in this time: 20 to 10,000; 20 unless it is given. */
  readonly intervalMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Counts {
  /** Reports that are in the replicas' view. */
  readonly taken: number;
  readonly refused: number;
  /** Attempts beyond the first of their call. */
  readonly retried: number;
  /** For want of room, or of an answer before the end. */
  readonly givenUp: Readonly<Record<Op, number>>;
  readonly waiting: number;
  readonly inFlight: number;
}

interface InFlight {
  readonly booking: Booking;
  readonly timestamp: bigint;
  readonly promptLength: number;
  toldMs: number;
}

const DAY_MS = 86_400_000;

/** The numbers that a caller may give: what each is unless it is given, its least and its most. */
const NUMBERS = {
  timeoutMs: [100, 1, 60_000],
  attempts: [3, 1, 100],
  leaseMs: [15_000, 3_000, 300_000],
  refreshMs: [60_000, 100, DAY_MS],
  'batch.maxEvents': [128, 1, 512],
  'batch.delayMs': [2, 0, 60_000],
  maxQueued: [10_000, 1, 10_000_000],
  closeMs: [5_000, 0, DAY_MS],
  intervalMs: [20, 20, 10_000],
} as const;

/** Parts of the lease, so that one that is lost does no harm. */
const RENEWALS = 3;

export class MetadataCenter {
  /** Under which the requests of this process are held. */
  readonly owner: string;
  private readonly choice: ReplicaChoice;
  private readonly addresses: Addresses;
  private readonly transport: Transport;
  private readonly caller: Caller;
  private readonly reporter: Reporter;
  private readonly views = new Map<string, Set<View>>();
  private readonly inFlight = new Map<string, InFlight>();
  private readonly over = new AbortController();
  /** On their way to an engine. */
  private readonly selecting = new Set<Promise<Booking>>();
  private readonly timers: NodeJS.Timeout[] = [];
  private readonly timeoutMs: number;
  private readonly leaseMs: number;
  private readonly refreshMs: number;
  private readonly closeMs: number;

  constructor(
    options: MetadataCenterOptions,
    private readonly surroundings: Surroundings = nodeSurroundings,
  ) {
    const { batch = {}, token, dispatcher } = options;
    const maxEvents = inBounds('batch.maxEvents', batch.maxEvents);
    const delayMs = inBounds('batch.delayMs', batch.delayMs);
    const attempts = inBounds('attempts', options.attempts);
    const maxQueued = inBounds('maxQueued', options.maxQueued);
    const timeoutMs = (this.timeoutMs = inBounds('timeoutMs', options.timeoutMs));
    this.leaseMs = inBounds('leaseMs', options.leaseMs);
    this.refreshMs = inBounds('refreshMs', options.refreshMs);
    this.closeMs = inBounds('closeMs', options.closeMs);
    this.owner = surroundings.newId();
    this.choice = new ReplicaChoice(timeoutMs);
    this.addresses = new Addresses(options.replicas, this.choice, surroundings);
    this.transport = new Transport({ token, dispatcher }, surroundings);
    this.caller = new Caller(
      this.addresses,
      this.choice,
      this.transport,
      { timeoutMs, attempts },
      surroundings,
    );
    this.reporter = new Reporter(
      { maxEvents, delayMs, maxQueued, attempts },
      {
        caller: this.caller,
        choice: this.choice,
        surroundings,
        onRefused: (error, op) => options.onRefused?.(error, op),
      },
    );
  }

  get counts(): Counts {
    const { counts, queue } = this.reporter;
    return {
      ...counts,
      retried: this.caller.retried,
      givenUp: { ...queue.givenUp },
      waiting: queue.size,
      inFlight: this.inFlight.size,
    };
  }

  /**
   * Chooses an engine and books the request there. Throws a `NoEngineError` where none has room, a `MetadataCenterError` where no
   * replica could say, and the reason of `signal`; after `close` an error, since nobody would be left to end the request.
   */
  async select(options: SelectOptions): Promise<Booking> {
    this.over.signal.throwIfAborted();
    const selecting = this.book(options);
    this.selecting.add(selecting);
    try {
      return await selecting;
    } finally {
      this.selecting.delete(selecting);
    }
  }

  /** A request was routed to an engine that the caller chose. Reported in the background. */
  add({ cluster, ip, promptLength = 0 }: AddOptions): Booking {
    const requestId = this.surroundings.newId();
    const timestamp = this.surroundings.timestampNs();
    this.report(
      cluster,
      'add',
      this.requestJson({ request_id: requestId, cluster, ip, prompt_length: promptLength }, timestamp),
      changeOf(ip, promptLength),
    );
    return this.begin(cluster, ip, requestId, timestamp, promptLength, undefined);
  }

  /** The rows of a cluster, kept up to date by a stream until `signal`, the view's `close` or that of this client. */
  watch(cluster: string, { signal, ...options }: WatchOptions = {}): View {
    const intervalMs = inBounds('intervalMs', options.intervalMs);
    const end = new AbortController();
    const abort = (): void => end.abort();
    const view = new View(cluster, intervalMs, this.surroundings, abort);
    const signals = [this.over.signal, ...(signal ? [signal] : [])];
    setMaxListeners(0, ...signals);
    for (const each of signals) {
      if (each.aborted) abort();
      each.addEventListener('abort', abort);
    }
    let views = this.views.get(cluster);
    if (!views) this.views.set(cluster, (views = new Set()));
    views.add(view);
    const { addresses, choice, transport, surroundings, timeoutMs } = this;
    void keepOpen(
      view,
      intervalMs,
      { addresses, choice, transport, surroundings, timeoutMs },
      end.signal,
    ).then(() => {
      for (const each of signals) each.removeEventListener('abort', abort);
      views.delete(view);
      if (views.size === 0 && this.views.get(cluster) === views) this.views.delete(cluster);
    });
    return view;
  }

  /** Resolves when every report so far was taken or given up; rejects with the reason of `signal`. */
  async flush(signal?: AbortSignal): Promise<void> {
    await unlessAborted(this.reporter.flushed(), signal);
  }

  /** Ends the streams, sends what waits, and gives up what could not be sent by then. Requests in flight are over. */
  async close(): Promise<void> {
    if (this.over.signal.aborted) return;
    for (const timer of this.timers.splice(0)) clearInterval(timer);
    for (const { booking } of [...this.inFlight.values()]) booking.end();
    this.over.abort(new Error('this client is closed'));
    // What they book is over at once, and its end has to be sent as well.
    const settled = Promise.allSettled(this.selecting).then(() => this.reporter.flushed());
    await unlessAborted(settled, AbortSignal.timeout(this.closeMs)).catch(() => undefined);
    this.reporter.stop();
    await this.reporter.flushed();
  }

  private async book(options: SelectOptions): Promise<Booking> {
    const { cluster, promptLength = 0, signal } = options;
    signal?.throwIfAborted();
    const timestamp = this.surroundings.timestampNs();
    let requestId = this.surroundings.newId();
    let body = this.selectBody(options, requestId, timestamp);
    let wasSent = false;
    const lose = (): void => {
      if (wasSent) this.forget(cluster, requestId);
    };
    const called = await this.caller
      .call(
        cluster,
        (lost) => {
          if (lost && mayHaveHappened(lost)) {
            // Nobody knows where that one is booked, if anywhere.
            lose();
            requestId = this.surroundings.newId();
            body = this.selectBody(options, requestId, timestamp);
          }
          wasSent = true;
          return { method: 'POST', path: '/v1/load/select', body };
        },
        signal,
      )
      .catch((error: unknown) => {
        lose();
        throw error;
      });
    const { answer } = called;
    if (answer.kind === 'error') {
      if (mayHaveHappened(answer.error)) lose();
      throw answer.error;
    }
    const row = readRow(answer.data);
    const nowMs = this.surroundings.monotonicMs();
    this.eachView(cluster, ({ own }) => own.answered(changeOf(row.ip, promptLength), nowMs));
    return this.begin(cluster, row.ip, requestId, timestamp, promptLength, row);
  }

  private begin(
    cluster: string,
    ip: string,
    requestId: string,
    timestamp: bigint,
    promptLength: number,
    row: Booking['row'],
  ): Booking {
    const id = `{"request_id":${JSON.stringify(requestId)}}`;
    const booking = new Booking(cluster, ip, requestId, row, {
      firstToken: () => this.report(cluster, 'prompt-delete', id, prefilledOf(ip, promptLength)),
      end: () => {
        this.inFlight.delete(requestId);
        const prefilled = booking.hasFirstToken;
        this.report(cluster, 'delete', id, endOf(ip, prefilled ? 0 : promptLength, prefilled));
      },
    });
    if (this.over.signal.aborted) {
      booking.end();
      return booking;
    }
    const toldMs = this.surroundings.monotonicMs();
    this.inFlight.set(requestId, { booking, timestamp, promptLength, toldMs });
    if (this.timers.length === 0) this.startTimers();
    return booking;
  }

  /** Ends a request of which nobody knows whether it counts. */
  private forget(cluster: string, requestId: string): void {
    this.reporter.report(cluster, 'delete', JSON.stringify({ request_id: requestId }));
  }

  private report(cluster: string, op: Op, event: string, change: RowChange): void {
    const told: ((answeredMs: number | undefined) => void)[] = [];
    this.eachView(cluster, ({ own }) => void told.push(own.sending(change)));
    this.reporter.report(cluster, op, event, (outcome) => {
      const answeredMs = outcome === 'taken' ? this.surroundings.monotonicMs() : undefined;
      for (const tell of told) tell(answeredMs);
    });
  }

  private eachView(cluster: string, work: (view: View) => void): void {
    for (const view of this.views.get(cluster) ?? []) work(view);
  }

  private selectBody(options: SelectOptions, requestId: string, timestamp: bigint): string {
    const { cluster, promptLength, candidates, requestCost, maxQueued, maxPromptLength } = options;
    return this.requestJson(
      {
        request_id: requestId,
        cluster,
        prompt_length: promptLength,
        candidates,
        request_cost: requestCost,
        max_queued: maxQueued,
        max_prompt_length: maxPromptLength,
      },
      timestamp,
    );
  }

  /** A number would lose the last digits of the timestamp. */
  private requestJson(members: object, timestamp: bigint): string {
    const json = JSON.stringify({ ...members, owner: this.owner });
    return `${json.slice(0, -1)},"timestamp":${timestamp}}`;
  }

  private startTimers(): void {
    this.renew();
    this.timers.push(
      setInterval(() => this.renew(), this.leaseMs / RENEWALS).unref(),
      setInterval(() => this.refresh(), this.refreshMs / 4).unref(),
    );
  }

  private renew(): void {
    this.reporter.report(this.owner, 'owner', JSON.stringify({ owner: this.owner, ttl_ms: this.leaseMs }));
  }

  private refresh(): void {
    const nowMs = this.surroundings.monotonicMs();
    for (const inFlight of this.inFlight.values()) {
      if (inFlight.toldMs + this.refreshMs > nowMs) continue;
      inFlight.toldMs = nowMs;
      const { booking, timestamp, promptLength } = inFlight;
      const { requestId, cluster, engine, hasFirstToken } = booking;
      this.reporter.report(
        cluster,
        'refresh',
        this.requestJson(
          { request_id: requestId, cluster, ip: engine, prompt_length: hasFirstToken ? 0 : promptLength },
          timestamp,
        ),
      );
    }
  }
}

/** What a replica would refuse each time is refused once, here. */
function inBounds(name: keyof typeof NUMBERS, given: number | undefined): number {
  const [unlessGiven, min, max] = NUMBERS[name];
  const value = given ?? unlessGiven;
  if (!(value >= min && value <= max)) throw new RangeError(`${name} must be from ${min} to ${max}`);
  return value;
}

/** Rejects with the reason of `signal`, and waits no longer. */
async function unlessAborted(work: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (!signal) return work;
  signal.throwIfAborted();
  let abort = (): void => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    abort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', abort);
  });
  try {
    await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

const changeOf = (ip: string, promptLength: number): RowChange => ({
  ip,
  queuedRequests: 1,
  promptLength,
  prefillRequests: 1,
});

const prefilledOf = (ip: string, promptLength: number): RowChange => ({
  ip,
  queuedRequests: 0,
  promptLength: -promptLength,
  prefillRequests: -1,
});

const endOf = (ip: string, promptLength: number, prefilled: boolean): RowChange => ({
  ip,
  queuedRequests: -1,
  promptLength: -promptLength,
  prefillRequests: prefilled ? 0 : -1,
});
