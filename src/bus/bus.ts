/**
 * The port between a replica and whatever carries its events to the other replicas. Two implementations:
 * NATS and in-process. One contract suite runs against both.
 *
 * At-most-once: a message published while the bus is down may be lost without an error, so may messages around
 * a reconnect. Order holds per publisher. A bus does not deliver a replica's own messages back to it.
 */

export interface BusHandlers {
  /** Called synchronously in the receive path: must be O(1) and must not throw. */
  onMessage(subject: string, payload: Uint8Array): void;
  /** Called once on each change of the connection, and once at the first connection. */
  onStatus(status: BusStatus): void;
}

export interface BusStatus {
  readonly connected: boolean;
  /** Why, for logs and readiness; never holds credentials. */
  readonly reason: string;
}

export interface Bus {
  readonly connected: boolean;
  /**
   * Subscribes to `subjects` (NATS wildcards allowed) and starts connecting. Returns at once, whether or not the
   * bus can be reached, and keeps trying for ever. `onStatus` reports `connected` only when the subscriptions are
   * known to the server: what others publish from then on arrives.
   */
  start(subjects: readonly string[], handlers: BusHandlers): void;
  /** Returns false when the message is known not to have left (not connected, buffer full, stopped). */
  publish(subject: string, payload: Uint8Array): boolean;
  /** Flushes what was published, unsubscribes and closes, within a bounded time. Never rejects. */
  stop(): Promise<void>;
}
