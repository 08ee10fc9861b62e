/**
 * Takes the prefix cache over from a peer, once, after the replica is ready: readiness never waits for it, and where no peer answers it
 * fills by itself.
 */
import type { Logger } from 'pino';
import { CacheMerge } from '../cache/cache-transfer';
import type { CacheIndex } from '../cache/cache-index';
import type { PeerClient } from '../repair/peer-client';
import type { PeerReport } from '../repair/peer';

const LOOK_EVERY_MS = 500;
/** How long a peer is looked for. */
const LOOKS = 120;
const ATTEMPTS = 3;

export interface CacheJoinSurroundings {
  readonly index: CacheIndex;
  readonly client: Pick<PeerClient, 'cache'>;
  readonly isReady: () => boolean;
  readonly peers: () => Readonly<Record<string, PeerReport>>;
  readonly nowUs: () => number;
  readonly logger: Logger;
}

export class CacheJoin {
  private timer: NodeJS.Timeout | undefined;
  private looks = 0;
  private attempts = 0;

  constructor(private readonly around: CacheJoinSurroundings) {}

  start(): void {
    this.timer = setTimeout(() => void this.look(), LOOK_EVERY_MS);
  }

  stop(): void {
    clearTimeout(this.timer);
    this.attempts = ATTEMPTS;
  }

  private async look(): Promise<void> {
    const { isReady, peers } = this.around;
    const ready = Object.entries(peers()).flatMap(([address, { state }]) =>
      state === 'ready' ? [address] : [],
    );
    if (isReady() && ready.length > 0) {
      if (await this.takeFrom(ready[this.attempts % ready.length]!)) return;
      this.attempts++;
    }
    if (++this.looks < LOOKS && this.attempts < ATTEMPTS) this.start();
  }

  private async takeFrom(address: string): Promise<boolean> {
    const { index, client, nowUs, logger } = this.around;
    const merge = new CacheMerge(index, nowUs);
    try {
      await client.cache(address, (line) => merge.line(line));
    } catch (error) {
      logger.info({ peer: address, reason: String(error) }, 'prefix cache not taken over');
      return false;
    }
    if (merge.complete) logger.info({ peer: address, entries: index.size }, 'prefix cache taken over');
    return merge.complete;
  }
}
