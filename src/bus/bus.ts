/**
 * The port between a replica and whatever carries its events to the other replicas. Two implementations:
 * NATS and in-process. One contract suite runs against both.
 *
 * At-most-once: a message published while the bus is down may be lost without an error, so may messages around
 * a reconnect. Order holds per publisher. A bus does not deliver a replica's own messages back to it.
 */

/** Called synchronously in the receive path: must be O(1) and must not throw. `payload` is only lent for the call. */
export type OnMessage = (payload: Uint8Array) => void;

/**
 * What to do with the messages of each subject; NATS wildcards allowed. A handler is not told the exact subject: to
 * decode it would cost a tenth of everything that is done with an event.
 */
export type Subscriptions = Readonly<Record<string, OnMessage>>;

/** Called once on each change of the connection, and once when the first attempt to connect has ended. */
export type OnBusStatus = (status: BusStatus) => void;

export interface BusStatus {
  readonly connected: boolean;
  /** Why, for logs and readiness; never holds credentials. */
  readonly reason: string;
}

/**
 * What goes wrong without being a change of the connection. `connect`: an attempt failed for another reason than
 * the one before; `permission`: the server denied a subject; `slow-consumer`: the server or this process could
 * not keep up and messages were lost; `server-error`: any other complaint of the server; `handler`: a handler threw;
 * `write`: messages that were taken could not be written; `unconfirmed`: the connection, or this process, ended before the server
 * had confirmed what was sent to it; `max-payload`: the server takes smaller messages only than the largest event.
 */
export type BusTrouble =
  | 'connect'
  | 'permission'
  | 'slow-consumer'
  | 'server-error'
  | 'handler'
  | 'write'
  | 'unconfirmed'
  | 'max-payload';

/** For logs and counters; `detail` never holds credentials. `count`: how many messages, if not 1. */
export type OnBusTrouble = (trouble: BusTrouble, detail: string, count?: number) => void;

export interface Bus {
  readonly connected: boolean;
  /** The latest reason: while not connected it can be newer than the one of the last `onStatus`. */
  readonly reason: string;
  /** Nobody else is on this bus, nor can be missed there: what is published need not even be written down. */
  readonly alone: boolean;
  /** The largest message that can be published, bytes; undefined while that is not known, or where all can. */
  readonly maxPayload?: number | undefined;
  /**
   * Subscribes and starts connecting. Returns at once, whether or not the bus can be reached, and keeps trying for
   * ever. `onStatus` reports `connected` only when the subscriptions are known to the server: what others publish from
   * then on arrives. Called once.
   */
  start(subscriptions: Subscriptions, onStatus: OnBusStatus): void;
  /**
   * Returns false when the message is known not to have left (not connected, buffer full, too large, stopped). The bus may
   * keep `payload` until it has left; it must not be changed. What is published in one turn of the event loop leaves
   * together, at its end or a few milliseconds later.
   */
  publish(subject: string, payload: Uint8Array): boolean;
  /**
   * Calls back when everything published before has left the process, or is known not to leave any more; at once where
   * there is nothing to wait for. `callback` must not throw.
   */
  whenWritten(callback: () => void): void;
  /**
   * Flushes what was published, unsubscribes and closes, within a bounded time. Never rejects. Calls no handler
   * from the moment that it is called.
   */
  stop(): Promise<void>;
}
