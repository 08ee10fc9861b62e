/**
 * The port between a replica and whatever carries its events to the other replicas. Two implementations:
 * NATS and in-process. One contract suite runs against both.
 *
 * At-most-once: a message published while the bus is down may be lost without an error, so may messages around
 * a reconnect. Order holds per publisher. A bus does not deliver a replica's own messages back to it.
 */

export interface BusHandlers {
  /**
   * Called synchronously in the receive path: must be O(1) and must not throw. `payload` is only lent for the
   * call.
   */
  onMessage(subject: string, payload: Uint8Array): void;
  /** Called once on each change of the connection, and once when the first attempt to connect has ended. */
  onStatus(status: BusStatus): void;
}

export interface BusStatus {
  readonly connected: boolean;
  /** Why, for logs and readiness; never holds credentials. */
  readonly reason: string;
}

/**
 * What goes wrong without being a change of the connection. `connect`: an attempt failed for another reason than
 * the one before; `permission`: the server denied a subject; `slow-consumer`: the server or this process could
 * not keep up and messages were lost; `server-error`: any other complaint of the server; `handler`: a handler threw.
 */
export type BusTrouble = 'connect' | 'permission' | 'slow-consumer' | 'server-error' | 'handler';

/** For logs and counters; `detail` never holds credentials. */
export type OnBusTrouble = (trouble: BusTrouble, detail: string) => void;

export interface Bus {
  readonly connected: boolean;
  /** The latest reason: while not connected it can be newer than the one of the last `onStatus`. */
  readonly reason: string;
  /**
   * Subscribes to `subjects` (NATS wildcards allowed) and starts connecting. Returns at once, whether or not the
   * bus can be reached, and keeps trying for ever. `onStatus` reports `connected` only when the subscriptions are
   * known to the server: what others publish from then on arrives. Called once.
   */
  start(subjects: readonly string[], handlers: BusHandlers): void;
  /**
   * Returns false when the message is known not to have left (not connected, buffer full, stopped). The bus may
   * keep `payload` until it has left; it must not be changed. What is published in one turn of the event loop leaves
   * together at its end: before anything runs that was given to `setImmediate` after the call.
   */
  publish(subject: string, payload: Uint8Array): boolean;
  /**
   * Flushes what was published, unsubscribes and closes, within a bounded time. Never rejects. Calls no handler
   * from the moment that it is called.
   */
  stop(): Promise<void>;
}
