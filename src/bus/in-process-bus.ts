/**
 * A bus within one process: for a replica that runs alone, and for tests with several replicas in one process.
 * Members that share a hub hear each other.
 */
import type { Bus, BusHandlers, OnBusTrouble } from './bus';
import { subjectMatches } from './subject-match';

/** Messages that may wait for one member; what comes beyond is lost to it, as it would be to a slow NATS client. */
const MAX_WAITING = 65_536;

interface Message {
  readonly subject: string;
  readonly payload: Uint8Array;
}

/** What the members of one bus share; made by the composition root. */
export class InProcessHub {
  private readonly members = new Set<InProcessBus>();

  join(member: InProcessBus): void {
    this.members.add(member);
  }

  leave(member: InProcessBus): void {
    this.members.delete(member);
  }

  send(from: InProcessBus, message: Message): void {
    for (const member of this.members) {
      if (member !== from) member.receive(message);
    }
  }
}

export class InProcessBus implements Bus {
  private subjects: readonly string[] = [];
  private handlers: BusHandlers | undefined;
  private state: 'new' | 'started' | 'connected' | 'stopped' = 'new';
  private waiting: Message[] = [];

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

  start(subjects: readonly string[], handlers: BusHandlers): void {
    if (this.state !== 'new') throw new Error('the bus was started before');
    this.subjects = subjects;
    this.handlers = handlers;
    this.state = 'started';
    setImmediate(() => {
      if (this.state === 'stopped') return;
      this.state = 'connected';
      this.hub.join(this);
      handlers.onStatus({ connected: true, reason: this.reason });
    });
  }

  publish(subject: string, payload: Uint8Array): boolean {
    if (!this.connected) return false;
    this.hub.send(this, { subject, payload });
    return true;
  }

  /** For the hub. Never delivers at once: a publisher must not run its receivers' code. */
  receive(message: Message): void {
    if (!this.subjects.some((pattern) => subjectMatches(pattern, message.subject))) return;
    if (this.waiting.length >= MAX_WAITING) {
      this.onTrouble('slow-consumer', `${MAX_WAITING} messages are waiting`);
      return;
    }
    if (this.waiting.push(message) === 1) setImmediate(() => this.deliver());
  }

  private deliver(): void {
    const messages = this.waiting;
    this.waiting = [];
    for (const { subject, payload } of messages) {
      if (this.state !== 'connected') return;
      try {
        this.handlers?.onMessage(subject, payload);
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
