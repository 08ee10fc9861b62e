/**
 * A bus within one process: for a replica that runs alone, and for tests with several replicas in one process.
 * Members that share a hub hear each other.
 */
import type { Bus, OnBusStatus, OnBusTrouble, OnMessage, Subscriptions } from './bus';
import { subjectMatches } from './subject-match';

/** Messages that may wait for one member; what comes beyond is lost to it, as it would be to a slow NATS client. */
const MAX_WAITING = 65_536;

interface Waiting {
  readonly onMessage: OnMessage;
  readonly payload: Uint8Array;
}

/** What the members of one bus share; made by the composition root. */
export class InProcessHub {
  private readonly members = new Set<InProcessBus>();

  join(member: InProcessBus): void {
    this.members.add(member);
  }

  hasOthers(than: InProcessBus): boolean {
    return this.members.size > (this.members.has(than) ? 1 : 0);
  }

  leave(member: InProcessBus): void {
    this.members.delete(member);
  }

  send(from: InProcessBus, subject: string, payload: Uint8Array): void {
    for (const member of this.members) {
      if (member !== from) member.receive(subject, payload);
    }
  }
}

export class InProcessBus implements Bus {
  private subscriptions: Subscriptions = {};
  private state: 'new' | 'started' | 'connected' | 'stopped' = 'new';
  private waiting: Waiting[] = [];

  constructor(
    private readonly hub: InProcessHub,
    private readonly onTrouble: OnBusTrouble,
  ) {}

  get connected(): boolean {
    return this.state === 'connected';
  }

  get reason(): string {
    return this.connected ? 'in-process' : this.state === 'stopped' ? 'stopped' : 'not started';
  }

  get alone(): boolean {
    return !this.hub.hasOthers(this);
  }

  start(subscriptions: Subscriptions, onStatus: OnBusStatus): void {
    if (this.state !== 'new') throw new Error('the bus was started before');
    this.subscriptions = subscriptions;
    this.state = 'started';
    setImmediate(() => {
      if (this.state === 'stopped') return;
      this.state = 'connected';
      this.hub.join(this);
      onStatus({ connected: true, reason: this.reason });
    });
  }

  publish(subject: string, payload: Uint8Array): boolean {
    if (!this.connected) return false;
    this.hub.send(this, subject, payload);
    return true;
  }

  /** What is published never leaves the process. */
  whenWritten(callback: () => void): void {
    callback();
  }

  /** For the hub. Never delivers at once: a publisher must not run its receivers' code. */
  receive(subject: string, payload: Uint8Array): void {
    for (const [pattern, onMessage] of Object.entries(this.subscriptions)) {
      if (!subjectMatches(pattern, subject)) continue;
      if (this.waiting.length >= MAX_WAITING) {
        this.onTrouble('slow-consumer', `${MAX_WAITING} messages are waiting`);
        return;
      }
      if (this.waiting.push({ onMessage, payload }) === 1) setImmediate(() => this.deliver());
    }
  }

  private deliver(): void {
    const messages = this.waiting;
    this.waiting = [];
    for (const { onMessage, payload } of messages) {
      if (this.state !== 'connected') return;
      try {
        onMessage(payload);
      } catch (error) {
        this.onTrouble('handler', String(error));
      }
    }
  }

  /** Waits one turn, so that what was published before reaches those that are still there. */
  async stop(): Promise<void> {
    if (this.state === 'stopped') return;
    this.state = 'stopped';
    this.hub.leave(this);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
