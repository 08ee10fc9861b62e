/**
 * A connection of its own to JetStream, to the server that the bus is connected to: what is denied here, or fails, or
 * comes in bulk, leaves the live subscription alone. JetStream's API is JSON over requests.
 */
import {
  createInbox,
  describeError,
  isTimeout,
  isUnserved,
  openConnection,
  type NatsConnection,
  type NatsConnectionOptions,
} from '../bus/nats-connection';
import type { NatsServer } from '../bus/nats-servers';

/** What went wrong, told apart by what to do about it. */
export type FaultKind =
  /** Likely over within seconds: an election, a server that starts, no answer. */
  | 'passing'
  /** The server or the account says no. */
  | 'refused'
  | 'stream-not-found'
  | 'name-in-use'
  | 'subjects-overlap';

export class JetStreamFault extends Error {
  constructor(
    readonly kind: FaultKind,
    message: string,
  ) {
    super(message);
  }
}

const KIND_BY_CODE: Readonly<Record<number, FaultKind>> = {
  10008: 'passing',
  10009: 'passing',
  10118: 'passing',
  10058: 'name-in-use',
  10059: 'stream-not-found',
  10065: 'subjects-overlap',
};

export interface LinkMessage {
  /** Where an acknowledgement would go: names the message's place in stream and consumer. */
  readonly reply: string | undefined;
  readonly data: Uint8Array;
  /** Set for what the server says instead of a message. */
  readonly status: number | undefined;
}

export interface Inbox {
  readonly subject: string;
  close(): void;
}

export class JetStreamLink {
  private denied: string | undefined;
  private ended = false;

  private constructor(
    private readonly connection: NatsConnection,
    private readonly timeoutMs: number,
  ) {}

  /** Rejects with a JetStreamFault. */
  static async open(server: NatsServer, options: NatsConnectionOptions): Promise<JetStreamLink> {
    let link: JetStreamLink | undefined = undefined as JetStreamLink | undefined;
    try {
      const { connection, ended } = await openConnection(server, options, {
        onDenied: (operation, subject) => {
          if (link) link.denied ??= `${operation} to "${subject}" is not permitted`;
        },
        onServerError: () => undefined,
        onServers: () => undefined,
      });
      const opened = (link = new JetStreamLink(connection, options.timeoutMs));
      void ended.then(() => (opened.ended = true));
      return opened;
    } catch (error) {
      throw new JetStreamFault('passing', describeError(error));
    }
  }

  get isOpen(): boolean {
    return !this.ended;
  }

  /** Open, and nothing has been denied: the client may not get over that. */
  get isSound(): boolean {
    return this.isOpen && this.denied === undefined;
  }

  /** The answer to a request of the JetStream API. Rejects with a JetStreamFault. */
  async request<T>(api: string, body?: object): Promise<T> {
    let answer: { error?: { code?: number; err_code?: number; description?: string } };
    try {
      const text = body === undefined ? '' : JSON.stringify(body);
      const options = { timeout: this.timeoutMs };
      answer = (await this.connection.request(`$JS.API.${api}`, text, options)).json();
    } catch (error) {
      throw this.faultOf(error);
    }
    const { error } = answer;
    if (!error) return answer as T;
    throw new JetStreamFault(
      KIND_BY_CODE[error.err_code ?? 0] ?? 'refused',
      error.description ?? `error ${error.code}`,
    );
  }

  /** Throws a JetStreamFault when the connection has ended. */
  publish(api: string, body: object, reply: string): void {
    try {
      this.connection.publish(`$JS.API.${api}`, JSON.stringify(body), { reply });
    } catch (error) {
      throw this.faultOf(error);
    }
  }

  /** A subject that only this link has, and what arrives there. */
  inbox(onMessage: (message: LinkMessage) => void): Inbox {
    const subject = createInbox();
    const subscription = this.connection.subscribe(subject, {
      callback: (error, { reply, data, headers }) => {
        if (error === null) onMessage({ reply, data, status: headers?.code });
      },
    });
    return { subject, close: () => subscription.unsubscribe() };
  }

  /** Why nothing arrived for long. */
  silence(): JetStreamFault {
    return this.denied === undefined
      ? new JetStreamFault('passing', 'JetStream does not answer')
      : new JetStreamFault('refused', this.denied);
  }

  async close(): Promise<void> {
    await this.connection.close();
  }

  private faultOf(error: unknown): JetStreamFault {
    if (isUnserved(error)) return new JetStreamFault('refused', 'the server has no JetStream');
    if (this.denied !== undefined || isTimeout(error)) return this.silence();
    const reason = describeError(error);
    return new JetStreamFault(/permission/i.test(reason) ? 'refused' : 'passing', reason);
  }
}
