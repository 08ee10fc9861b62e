/**
 * The life of one NATS connection as the bus sees it: connect, subscribe, be sure that the server knows, serve,
 * end. It never comes back; the bus makes a new one.
 */
import {
  openConnection,
  type NatsConnection,
  type NatsConnectionEvents,
  type NatsConnectionOptions,
} from './nats-connection';
import type { NatsServer } from './nats-servers';
import { OutboundWindow } from './outbound-window';

export interface NatsSessionOptions extends NatsConnectionOptions {
  /** After a subject was denied: how long until the connection is given up, to try the permissions anew. */
  readonly deniedRetryMs: number;
  /** What may be published and not have reached the server. */
  readonly windowBytes: number;
}

export interface NatsSessionHandlers extends Omit<NatsConnectionEvents, 'onDenied'> {
  onMessage(subject: string, payload: Uint8Array): void;
  /** The server knows all subscriptions. */
  onConnected(): void;
  /** The server denied a subject; called once. The session goes on receiving what it is allowed to. */
  onDenied(what: string): void;
}

export class NatsSession {
  private connection: NatsConnection | undefined;
  private window: OutboundWindow | undefined;
  /**
   * What was published in this turn of the event loop. Written together at its end: a system call for each message, at
   * each replica and at the server, would cost more than everything else that is done with it.
   */
  private unwritten: { readonly subject: string; readonly payload: Uint8Array }[] = [];
  private denied = false;
  private giveUp: NodeJS.Timeout | undefined;
  private end: (reason: string) => void = () => undefined;
  /** Settles with the reason when an opened session is over. */
  readonly ended = new Promise<string>((resolve) => (this.end = resolve));

  constructor(
    private readonly server: NatsServer,
    private readonly subjects: readonly string[],
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
    this.window = new OutboundWindow(() => connection.flush(), this.options.windowBytes);
    void ended.then((reason) => {
      clearTimeout(this.giveUp);
      this.end(reason);
    });
    for (const subject of this.subjects) {
      connection.subscribe(subject, {
        callback: (error, message) => {
          if (error === null) this.handlers.onMessage(message.subject, message.data);
          else this.deny(`subscription to "${subject}" is not permitted`);
        },
      });
    }
    void this.confirm(connection);
  }

  publish(subject: string, payload: Uint8Array): boolean {
    if (this.connection === undefined || this.connection.isClosed()) return false;
    if (this.window?.admit(subject.length + payload.length) !== true) return false;
    if (this.unwritten.push({ subject, payload }) === 1) setImmediate(() => this.write());
    return true;
  }

  /** Sends what is left, then closes. Can take for ever on a link that swallows everything. */
  async drain(): Promise<void> {
    this.write();
    await this.connection?.drain();
  }

  async close(): Promise<void> {
    await this.connection?.close();
  }

  private write(): void {
    const messages = this.unwritten;
    this.unwritten = [];
    for (const { subject, payload } of messages) {
      try {
        this.connection?.publish(subject, payload);
      } catch {
        // Closed meanwhile, or larger than the server takes: lost, as anything may be around a disconnect.
      }
    }
    this.window?.written();
  }

  private async confirm(connection: NatsConnection): Promise<void> {
    const late = setTimeout(() => void connection.close(), this.options.timeoutMs);
    const flushed = connection.flush().then(
      () => true,
      () => false,
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
