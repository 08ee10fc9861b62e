/**
 * Sends this replica's heartbeat once a second and hears those of the others.
 */
import type { Bus } from '../bus/bus';
import type { CausalContext } from '../core/causal-context';
import { heartbeatSubject } from '../wire/subjects';
import { composeHeartbeat, decodeHeartbeat, encodeHeartbeat } from './heartbeat';
import type { Replicator } from './replicator';

export const HEARTBEAT_INTERVAL_MS = 1_000;
/** Origins that were silent for longer are no longer named: by then every replica has heard of their last event. */
const NAMED_FOR_US = 120_000_000;

export class HeartbeatExchange {
  private readonly subject: string;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly replicator: Replicator,
    private readonly context: CausalContext,
    private readonly bus: Bus,
    private readonly nowUs: () => number,
    subjectPrefix: string,
  ) {
    this.subject = heartbeatSubject(subjectPrefix);
  }

  start(): void {
    this.timer = setInterval(() => this.send(), HEARTBEAT_INTERVAL_MS);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  receive(payload: Uint8Array): void {
    const heartbeat = decodeHeartbeat(payload);
    if (heartbeat === 'later') return;
    if (heartbeat === 'invalid') {
      this.replicator.counts.drop('heartbeat');
      return;
    }
    const now = this.nowUs();
    // What claims to come from further ahead than any event may is not remembered.
    const latestUs = now + this.replicator.loadStats.options.finishedRetentionUs;
    for (const [origin, newestUs, highest] of heartbeat.highest) {
      if (origin !== this.replicator.origin && newestUs <= latestUs) {
        this.context.announce(origin, highest, newestUs, now);
      }
    }
  }

  send(): void {
    const now = this.nowUs();
    this.replicator.forgetGone();
    const { origin, highestSeq } = this.replicator;
    this.context.announce(origin, highestSeq, now, now);
    const heartbeat = composeHeartbeat(origin, highestSeq, this.context, now - NAMED_FOR_US, now);
    const payload = encodeHeartbeat(heartbeat);
    if (payload.length > (this.bus.maxPayload ?? Infinity)) this.replicator.counts.tooLarge.heartbeat++;
    this.bus.publish(this.subject, payload);
  }
}
