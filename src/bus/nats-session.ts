/**
 * The life of one NATS connection as the bus sees it: connect, subscribe, be sure that the server knows, serve,
 * end. It never comes back; the bus makes a new one.
 */
import type { OnMessage, Subscriptions } from './bus';
import {
  describeError,
  openConnection,
  type NatsConnection,
  type NatsConnectionEvents,
  type NatsConnectionOptions,
} from './nats-connection';
import type { NatsServer } from './nats-servers';
import type { GatherPause } from './gather-pause';
import { OutboundWindow } from './outbound-window';

export interface NatsSessionOptions extends NatsConnectionOptions {
  /** After a subject was denied: how long until the connection is given up, to try the permissions anew. */
  readonly deniedRetryMs: number;
  /** What may be published and not have reached the server. */
  readonly windowBytes: number;
}

export interface NatsSessionHandlers extends Omit<NatsConnectionEvents, 'onDenied'> {
  /** A message for one of the subscriptions. */
  deliver(onMessage: OnMessage, payload: Uint8Array): void;
  /** The server knows all subscriptions. */
  onConnected(): void;
  /** The server denied a subject; called once. The session goes on receiving what it is allowed to. */
  onDenied(what: string): void;
  /** So many messages are lost or, where the server has not confirmed what was sent, may be. */
  onLost(trouble: 'write' | 'unconfirmed', why: string, messages?: number): void;
}

/** So many messages wait for no more: what one write of them saves is nearly all that can be saved. */
const GATHER_MOST = 16;
/** A shorter wait would be rounded up to it. */
const SHORTEST_TIMER_MS = 1;

export class NatsSession {
  private connection: NatsConnection | undefined;
  private window: OutboundWindow | undefined;
  /**
   * What was published and waits to be written together: a system call for each message, at each replica and at the
   * server, would cost more than everything else that is done with it.
   */
  private unwritten: { readonly subject: string; readonly payload: Uint8Array }[] = [];
  private waiting: (() => void)[] = [];
  /** Set while what is unwritten waits for more. */
  private writing: NodeJS.Timeout | undefined;
  private turnEnd: NodeJS.Immediate | undefined;
  private denied = false;
  private giveUp: NodeJS.Timeout | undefined;
  private end: (reason: string) => void = () => undefined;
  /** Settles with the reason when an opened session is over. */
  readonly ended = new Promise<string>((resolve) => (this.end = resolve));

  constructor(
    private readonly server: NatsServer,
    private readonly subscriptions: Subscriptions,
    private readonly gather: GatherPause,
    private readonly options: NatsSessionOptions,
    private readonly handlers: NatsSessionHandlers,
  ) {}

  /** Resolves when there is a connection; `onConnected` follows when the server has confirmed the subscriptions. */
  async open(): Promise<void> {
    const { connection, ended } = await openConnection(this.server, this.options, {
      onDenied: (operation, subject) => this.deny(`${operation} to "${subject}" is not permitted`),
      onServerError: (code) => this.handlers.onServerError(code),
      onServers: (announced) => this.handlers.onServers(announced),
    });
    this.connection = connection;
    this.window = new OutboundWindow(
      () => connection.flush(),
      this.options.windowBytes,
      (error) => this.handlers.onLost('unconfirmed', describeError(error)),
    );
    void ended.then((reason) => {
      clearTimeout(this.giveUp);
      this.end(reason);
    });
    for (const [subject, onMessage] of Object.entries(this.subscriptions)) {
      connection.subscribe(subject, {
        callback: (error, message) => {
          if (error === null) this.handlers.deliver(onMessage, message.data);
          else this.deny(`subscription to "${subject}" is not permitted`);
        },
      });
    }
    void this.confirm(connection);
  }

  get maxPayload(): number | undefined {
    return this.connection?.info?.max_payload;
  }

  publish(subject: string, payload: Uint8Array): boolean {
    if (this.connection === undefined || this.connection.isClosed()) return false;
    if (payload.length > (this.maxPayload ?? Infinity)) return false;
    if (this.window?.admit(subject.length + payload.length) !== true) return false;
    const unwritten = this.unwritten.push({ subject, payload });
    if (unwritten === 1) this.writeSoon();
    else if (unwritten === GATHER_MOST && this.writing !== undefined) this.writeAtTurnEnd();
    return true;
  }

  whenWritten(callback: () => void): void {
    if (this.unwritten.length === 0) {
      callback();
      return;
    }
    this.waiting.push(callback);
    // Who waits comes at the end of the turn, and has published what it had.
    if (this.turnEnd !== undefined) this.write();
  }

  /** Sends what is left, and closes once the server has it. Can take for ever on a link that swallows everything. */
  async drain(): Promise<void> {
    this.write();
    // To drain alone ends well also where the connection does not.
    await this.connection?.flush();
    await this.connection?.drain();
  }

  async close(): Promise<void> {
    await this.connection?.close();
  }

  private writeSoon(): void {
    const remainingMs = this.gather.remainingMs();
    if (remainingMs < SHORTEST_TIMER_MS) this.writeAtTurnEnd();
    else this.writing = setTimeout(() => this.write(), remainingMs);
  }

  private writeAtTurnEnd(): void {
    this.cancelWriting();
    this.turnEnd = setImmediate(() => this.write());
  }

  private cancelWriting(): void {
    clearTimeout(this.writing);
    clearImmediate(this.turnEnd);
    this.writing = this.turnEnd = undefined;
  }

  private write(): void {
    this.cancelWriting();
    const messages = this.unwritten;
    const waiting = this.waiting;
    this.unwritten = [];
    this.waiting = [];
    let lost = 0;
    let why = '';
    for (const { subject, payload } of messages) {
      try {
        this.connection?.publish(subject, payload);
      } catch (error) {
        lost++;
        why = describeError(error);
      }
    }
    if (lost > 0) this.handlers.onLost('write', why, lost);
    this.window?.written();
    this.gather.wrote();
    // The client writes in a microtask of its own, which comes before this one.
    queueMicrotask(() => {
      for (const callback of waiting) callback();
    });
  }

  private async confirm(connection: NatsConnection): Promise<void> {
    const late = setTimeout(() => void connection.close(), this.options.timeoutMs);
    const flushed = connection.flush().then(
      () => true,
      (error: unknown) => {
        this.handlers.onLost('unconfirmed', describeError(error));
        return false;
      },
    );
    const confirmed = await Promise.race([flushed, this.ended.then(() => false)]);
    clearTimeout(late);
    // A denied subscription is answered before the flush is.
    if (confirmed && !this.denied) this.handlers.onConnected();
  }

  private deny(what: string): void {
    if (this.denied) return;
    this.denied = true;
    this.handlers.onDenied(what);
    this.giveUp = setTimeout(() => void this.close(), this.options.deniedRetryMs);
  }
}
