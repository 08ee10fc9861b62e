/**
 * Reads a stream once, in order and without a gap, from some point to what was its last message at the start. The
 * consumer is ephemeral and nothing is acknowledged. Messages are pulled in batches, in one turn of the event loop each, so
 * that requests are answered in between; a consumer that is lost is made anew behind the last message that came.
 */
import type { Inbox, JetStreamLink, LinkMessage } from './jetstream-link';
import { JetStreamFault } from './jetstream-link';

export interface ReplayPace {
  /** Messages that are handled in one go. */
  readonly batch: number;
  /** Between two batches. */
  readonly pauseMs: number;
}

export interface ReplayRequest {
  readonly stream: string;
  /** One subject, as a string: nats-server 2.9 knows no lists of them. */
  readonly filterSubject: string;
  /** Where to begin: the first message, or the first one that the stream took at that time or later. */
  readonly since: 'start' | { readonly timeUs: number };
  readonly pace: ReplayPace;
  /** The replay ends with this message. */
  readonly lastSeq: number;
}

export interface ReplayHandlers {
  /** Called in the receive path; `payload` is only lent. */
  onMessage(payload: Uint8Array): void;
  /** After each batch; `left` is how many messages are still to come. */
  onProgress(replayed: number, left: number): void;
}

const STALLED_MS = 2_000;
const MAX_STALLS = 4;
const RETRY_MS = 500;
const INACTIVE_NS = 10_000_000_000;

export class StreamReplay {
  private consumer = '';
  private inbox: Inbox | undefined;
  private lastStreamSeq = 0;
  private lastConsumerSeq = 0;
  private replayed = 0;
  private left = 0;
  private inBatch = 0;
  private stalls = 0;
  private timer: NodeJS.Timeout | undefined;
  private settle: { resolve: () => void; reject: (error: unknown) => void } | undefined;

  constructor(
    private readonly link: JetStreamLink,
    private readonly request: ReplayRequest,
    private readonly handlers: ReplayHandlers,
  ) {}

  /** Resolves with the number of messages. Rejects with a JetStreamFault. */
  async run(): Promise<number> {
    try {
      await new Promise<void>((resolve, reject) => {
        this.settle = { resolve, reject };
        void this.makeConsumer();
      });
      return this.replayed;
    } finally {
      clearTimeout(this.timer);
      this.settle = undefined;
      this.letGo();
    }
  }

  private async makeConsumer(): Promise<void> {
    const { stream, filterSubject } = this.request;
    // With a new inbox, so that nothing of the consumer before is taken for an answer of this one.
    this.letGo();
    this.inbox = this.link.inbox((message) => this.receive(message));
    clearTimeout(this.timer);
    try {
      const { name, num_pending: left } = await this.link.request<{ name: string; num_pending: number }>(
        `CONSUMER.CREATE.${stream}`,
        {
          stream_name: stream,
          config: {
            ...this.startingPoint(),
            ack_policy: 'none',
            replay_policy: 'instant',
            filter_subject: filterSubject,
            inactive_threshold: INACTIVE_NS,
            num_replicas: 1,
            mem_storage: true,
          },
        },
      );
      this.lastConsumerSeq = 0;
      this.left = left;
      this.consumer = name;
      this.handlers.onProgress(this.replayed, left);
      if (left === 0) this.end();
      else this.pull();
    } catch (error) {
      const passing = error instanceof JetStreamFault && error.kind === 'passing';
      if (passing && this.link.isOpen && ++this.stalls <= MAX_STALLS) {
        this.timer = setTimeout(() => void this.makeConsumer(), RETRY_MS);
      } else this.end(error);
    }
  }

  private letGo(): void {
    this.inbox?.close();
    if (this.consumer !== '') this.link.deleteConsumer(this.request.stream, this.consumer);
    this.consumer = '';
  }

  private startingPoint(): object {
    if (this.lastStreamSeq > 0) {
      return { deliver_policy: 'by_start_sequence', opt_start_seq: this.lastStreamSeq + 1 };
    }
    const { since } = this.request;
    return since === 'start'
      ? { deliver_policy: 'all' }
      : { deliver_policy: 'by_start_time', opt_start_time: new Date(since.timeUs / 1000).toISOString() };
  }

  private pause(): void {
    const { pauseMs } = this.request.pace;
    if (pauseMs === 0) setImmediate(() => this.pull());
    else this.timer = setTimeout(() => this.pull(), pauseMs);
  }

  private pull(): void {
    if (!this.settle || !this.inbox) return;
    this.inBatch = 0;
    this.watch();
    try {
      const next = `CONSUMER.MSG.NEXT.${this.request.stream}.${this.consumer}`;
      this.link.publish(next, { batch: this.request.pace.batch, no_wait: true }, this.inbox.subject);
    } catch (error) {
      this.end(error);
    }
  }

  private receive({ reply, data, status }: LinkMessage): void {
    if (!this.settle) return;
    if (status !== undefined) {
      this.batchEnded(status);
      return;
    }
    const place = placeOf(reply);
    if (!place || place.consumer !== this.consumer) return;
    if (place.consumerSeq !== this.lastConsumerSeq + 1) {
      // Something between was lost on the way.
      void this.makeConsumer();
      return;
    }
    this.lastConsumerSeq = place.consumerSeq;
    this.lastStreamSeq = place.streamSeq;
    this.left = place.left;
    this.stalls = 0;
    this.replayed++;
    this.inBatch++;
    this.handlers.onMessage(data);
    if (place.streamSeq >= this.request.lastSeq || place.left === 0) {
      this.handlers.onProgress(this.replayed, 0);
      this.end();
    } else if (this.inBatch === this.request.pace.batch) {
      this.handlers.onProgress(this.replayed, this.left);
      clearTimeout(this.timer);
      this.pause();
    }
  }

  /** The server has less than was asked for: nothing (404), or some of it (408), the rest having aged out. */
  private batchEnded(status: number): void {
    if (status === 404) this.end();
    else if (status === 408) this.pull();
    else this.stalled();
  }

  /** Nothing that comes afterwards is handled. */
  private end(error?: unknown): void {
    const { settle } = this;
    this.settle = undefined;
    if (error === undefined) settle?.resolve();
    else settle?.reject(error);
  }

  private watch(): void {
    clearTimeout(this.timer);
    const seen = this.replayed;
    this.timer = setTimeout(() => {
      if (this.replayed === seen) this.stalled();
      else this.watch();
    }, STALLED_MS);
  }

  private stalled(): void {
    if (++this.stalls > MAX_STALLS || !this.link.isOpen) this.end(this.link.silence());
    else void this.makeConsumer();
  }
}

interface Place {
  readonly consumer: string;
  readonly streamSeq: number;
  readonly consumerSeq: number;
  readonly left: number;
}

/** `$JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.<consumer seq>.<time>.<left>`; newer servers may add tokens. */
function placeOf(reply: string | undefined): Place | undefined {
  if (reply?.startsWith('$JS.ACK.') !== true) return undefined;
  const tokens = reply.split('.');
  const at = tokens.length >= 11 ? 5 : 3;
  const [consumer, , streamSeq, consumerSeq, , left] = tokens.slice(at);
  if (consumer === undefined || left === undefined) return undefined;
  return { consumer, streamSeq: Number(streamSeq), consumerSeq: Number(consumerSeq), left: Number(left) };
}
