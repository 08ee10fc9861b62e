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

/** By `err_code`, as nats-server's errors.json lists them. */
const KIND_BY_CODE: Readonly<Record<number, FaultKind>> = {
  // Of a cluster: incomplete results, no suitable peers, not assigned, temporarily unavailable, not the leader.
  10004: 'passing',
  10005: 'passing',
  10007: 'passing',
  10008: 'passing',
  10009: 'passing',
  // Insufficient resources; another replica has the last consumer.
  10023: 'passing',
  10026: 'passing',
  // Raft, and stream or consumer offline.
  10041: 'passing',
  10118: 'passing',
  10119: 'passing',
  10039: 'refused',
  10076: 'refused',
  10058: 'name-in-use',
  10059: 'stream-not-found',
  10065: 'subjects-overlap',
};

/** What an operator can do about errors that do not pass. */
const ADVICE: Readonly<Record<number, string>> = {
  10026: 'the account or the stream allows no more consumers, and each replica that starts needs one',
  10027: 'the account allows no more streams',
  10028: 'NATS_HISTORY_MAX_BYTES is more than the server or the account has',
  10039: 'enable JetStream for the account of this user',
  10047: 'NATS_HISTORY_MAX_BYTES is more than the server or the account has',
  10074: 'NATS_HISTORY_REPLICAS needs a cluster of so many servers',
  10076: 'the server was started without JetStream',
};

const SERVICE_UNAVAILABLE = 503;

function faultFrom({ code, err_code: errCode = 0, description }: ApiError): JetStreamFault {
  const kind = KIND_BY_CODE[errCode] ?? (code === SERVICE_UNAVAILABLE ? 'passing' : 'refused');
  const advice = ADVICE[errCode];
  const text = description ?? `error ${code ?? errCode}`;
  return new JetStreamFault(kind, advice === undefined ? text : `${text} (${advice})`);
}

interface ApiError {
  readonly code?: number;
  readonly err_code?: number;
  readonly description?: string;
}

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

const DELETE_CONSUMER = '$JS.API.CONSUMER.DELETE.';

/** What is counted and stops nothing. */
export type LinkTrouble = 'delete' | 'delete-denied' | 'inbox' | 'server-error';

export class JetStreamLink {
  private denied: string | undefined;
  private ended = false;

  private constructor(
    private readonly connection: NatsConnection,
    private readonly timeoutMs: number,
    private readonly onTrouble: (reason: LinkTrouble) => void,
  ) {}

  /** Rejects with a JetStreamFault. */
  static async open(
    server: NatsServer,
    options: NatsConnectionOptions,
    onTrouble: (reason: LinkTrouble) => void = () => undefined,
  ): Promise<JetStreamLink> {
    let link: JetStreamLink | undefined = undefined as JetStreamLink | undefined;
    try {
      const { connection, ended } = await openConnection(server, options, {
        onDenied: (operation, subject) => {
          // That consumers end by themselves, only later, where they can't be deleted.
          if (subject.startsWith(DELETE_CONSUMER)) onTrouble('delete-denied');
          else if (link) link.denied ??= `${operation} to "${subject}" is not permitted`;
        },
        onServerError: () => onTrouble('server-error'),
        onServers: () => undefined,
      });
      const opened = (link = new JetStreamLink(connection, options.timeoutMs, onTrouble));
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
    let answer: { error?: ApiError };
    try {
      const text = body === undefined ? '' : JSON.stringify(body);
      const options = { timeout: this.timeoutMs };
      answer = (await this.connection.request(`$JS.API.${api}`, text, options)).json();
    } catch (error) {
      throw this.faultOf(error);
    }
    const { error } = answer;
    if (!error) return answer as T;
    throw faultFrom(error);
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
        else this.onTrouble('inbox');
      },
    });
    return { subject, close: () => subscription.unsubscribe() };
  }

  /** Lets go of a consumer, so that another replica may have it at once. Does not wait, and never throws. */
  deleteConsumer(stream: string, consumer: string): void {
    if (!this.isOpen) return;
    const api = `${DELETE_CONSUMER}${stream}.${consumer}`;
    this.connection.request(api, '', { timeout: this.timeoutMs }).catch(() => this.onTrouble('delete'));
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
