/**
 * Sends this replica's heartbeat once a second and hears those of the others.
 */
import type { Bus } from '../bus/bus';
import type { CausalContext } from '../core/causal-context';
import { replicaSubject } from '../wire/subjects';
import { composeHeartbeat, decodeHeartbeat, encodeHeartbeat } from './heartbeat';
import type { Replicator } from './replicator';

export const HEARTBEAT_INTERVAL_MS = 1_000;
/** Origins that were silent for longer are no longer named: by then every replica has heard of their last event. */
const NAMED_FOR_US = 120_000_000;

export class HeartbeatExchange {
  private readonly subject: string;
  private readonly replicaSubjects: string;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly replicator: Replicator,
    private readonly context: CausalContext,
    private readonly bus: Bus,
    private readonly nowUs: () => number,
    subjectPrefix: string,
  ) {
    this.subject = replicaSubject(subjectPrefix, 'heartbeat');
    this.replicaSubjects = replicaSubject(subjectPrefix, '');
  }

  start(): void {
    this.timer = setInterval(() => this.send(), HEARTBEAT_INTERVAL_MS);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** False when the subject is none of those between replicas. */
  receive(subject: string, payload: Uint8Array): boolean {
    if (!subject.startsWith(this.replicaSubjects)) return false;
    const heartbeat = subject === this.subject ? decodeHeartbeat(payload) : undefined;
    if (!heartbeat) return true;
    const now = this.nowUs();
    // What claims to come from further ahead than any event may is not remembered.
    const latestUs = now + this.replicator.loadStats.options.finishedRetentionUs;
    for (const [origin, newestUs, highest] of heartbeat.highest) {
      if (origin !== this.replicator.origin && newestUs <= latestUs) {
        this.context.announce(origin, highest, newestUs, now);
      }
    }
    return true;
  }

  send(): void {
    const now = this.nowUs();
    this.replicator.forgetGone();
    const { origin, highestSeq } = this.replicator;
    this.context.announce(origin, highestSeq, now, now);
    const heartbeat = composeHeartbeat(origin, highestSeq, this.context, now - NAMED_FOR_US, now);
    this.bus.publish(this.subject, encodeHeartbeat(heartbeat));
  }
}
