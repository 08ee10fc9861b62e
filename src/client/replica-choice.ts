/**
 * Which replica is asked next. One that failed rests, longer each time; when its rest is over one call tries it, and the others
 * wait for what comes of that. Pure: the time is an argument.
 */
import { byRendezvous } from './rendezvous';

const FIRST_REST_MS = 100;
const MAX_REST_MS = 5_000;

interface Rest {
  readonly failures: number;
  untilMs: number;
}

export class ReplicaChoice {
  private known: readonly string[] = [];
  private readonly rests = new Map<string, Rest>();

  /** `trialMs`: how long a call to a replica whose rest is over may take. */
  constructor(private readonly trialMs: number) {}

  get addresses(): readonly string[] {
    return this.known;
  }

  /** The addresses behind the name, as they are now. */
  replace(addresses: readonly string[]): void {
    this.known = [...new Set(addresses)];
    for (const address of this.rests.keys()) if (!this.known.includes(address)) this.rests.delete(address);
  }

  home(key: string): string | undefined {
    return this.order(key)[0];
  }

  /**
   * The first in the order of `key` that has not been `tried` and does not rest; else one that rests; else, since all were tried,
   * the home again. Undefined where there is no address.
   */
  pick(key: string, tried: ReadonlySet<string>, nowMs: number): string | undefined {
    const order = this.order(key);
    const untried = order.filter((address) => !tried.has(address));
    const awake = untried.find((address) => this.restMs(address, nowMs) === 0);
    const picked = awake ?? untried[0] ?? order[0];
    const rest = picked === undefined ? undefined : this.rests.get(picked);
    if (rest) rest.untilMs = Math.max(rest.untilMs, nowMs + this.trialMs);
    return picked;
  }

  /** How long it is until a replica may be asked: 0 where one does not rest. */
  pauseMs(nowMs: number): number {
    if (this.known.length === 0) return FIRST_REST_MS;
    return Math.min(...this.known.map((address) => this.restMs(address, nowMs)));
  }

  failed(address: string, nowMs: number): void {
    const failures = (this.rests.get(address)?.failures ?? 0) + 1;
    const restMs = Math.min(FIRST_REST_MS * 2 ** Math.min(failures - 1, 10), MAX_REST_MS);
    this.rests.set(address, { failures, untilMs: nowMs + restMs });
  }

  answered(address: string): void {
    this.rests.delete(address);
  }

  /** An address is its own home. */
  private order(key: string): string[] {
    const order = byRendezvous(this.known, key);
    return order.includes(key) ? [key, ...order.filter((address) => address !== key)] : order;
  }

  private restMs(address: string, nowMs: number): number {
    return Math.max(0, (this.rests.get(address)?.untilMs ?? 0) - nowMs);
  }
}
