/**
 * Says when a limit is reached and when that is over: in the log, and to whoever asks for readiness. A limit with traffic at
 * it is reached and left many times a second, so it counts as reached until it was left alone for a while.
 */
import type { Limit } from './limit-metrics';

const LOOK_EVERY_MS = 1_000;
/** Also the rate limit of the log: a limit has at most two lines in this time. */
const OVER_AFTER_MS = 5_000;

interface Reached {
  readonly refusedBefore: number;
  lastMs: number;
}

/** A limit as `/readyz` shows it while it is reached. */
export interface ReachedLimit {
  readonly use: number;
  readonly most: number;
  /** Reports refused because of it since it was reached. */
  readonly refused: number;
}

export class LimitWatch {
  private readonly reachedSince = new Map<Limit, Reached>();
  private readonly refusedSeen = new Map<Limit, number>();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly limits: readonly Limit[],
    private readonly warn: (fields: object, message: string) => void,
    private readonly monotonicMs: () => number,
  ) {}

  start(): void {
    this.timer = setInterval(() => this.look(), LOOK_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** By name, as of now. */
  reached(): Record<string, ReachedLimit> {
    this.look();
    return Object.fromEntries(
      [...this.reachedSince].map(([limit, since]) => [limit.name, shown(limit, since)]),
    );
  }

  /** Whether one of them keeps reports or events out, as of the latest look: every select asks. */
  get degrades(): boolean {
    if (this.reachedSince.size === 0) return false;
    return [...this.reachedSince.keys()].some(({ refusesReaders }) => !refusesReaders);
  }

  look(): void {
    const now = this.monotonicMs();
    for (const limit of this.limits) {
      const refused = limit.refused?.() ?? 0;
      const before = this.refusedSeen.get(limit) ?? 0;
      this.refusedSeen.set(limit, refused);
      const since = this.reachedSince.get(limit);
      if (limit.use() >= limit.most || refused > before) {
        if (since) since.lastMs = now;
        else {
          const begun = { refusedBefore: before, lastMs: now };
          this.reachedSince.set(limit, begun);
          this.warn({ limit: limit.name, ...shown(limit, begun) }, 'limit reached');
        }
      } else if (since && now - since.lastMs >= OVER_AFTER_MS) {
        this.reachedSince.delete(limit);
        this.warn({ limit: limit.name, ...shown(limit, since) }, 'limit no longer reached');
      }
    }
  }
}

function shown(limit: Limit, { refusedBefore }: Reached): ReachedLimit {
  return { use: limit.use(), most: limit.most, refused: (limit.refused?.() ?? 0) - refusedBefore };
}
