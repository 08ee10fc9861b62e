/**
 * The holes that are chased: which lost events have been missing for longer than events on their way may be, when to try
 * to fill them next, whether to look for them in the bus's history, and which of them are given up. Times are monotonic,
 * but for the one from which on the history is searched.
 */
import type { CausalContext } from '../core/causal-context';
import { SeqSet } from '../core/seq-set';
import type { RepairOptions } from './repair-options';

/** What is chased at a time. Beyond it the newest strangers wait, or stop being chased for the sake of live peers. */
export const MAX_CHASES = 256;
const NONE = new SeqSet();

/** Holes of one origin that were noticed at the same time. */
interface Chase {
  readonly origin: string;
  seqs: SeqSet;
  readonly sinceUs: number;
  /** The same by the wall clock. */
  readonly noticedUs: number;
  /** Whether the history was replayed for it. */
  replayed: boolean;
}

export class HoleChase {
  private chases: Chase[] = [];
  /** Holes that were not chased at the last look: not yet old enough, or too many. */
  private candidates = new Map<string, SeqSet>();
  private lookedUs = -Infinity;
  private nextAttemptUs = 0;
  private pauseUs: number;
  private replayedUs = -Infinity;
  private replayPauseUs: number;
  /** Times that a hole was not chased, or no longer, since there were too many others. */
  deferred = 0;

  constructor(
    private readonly context: CausalContext,
    private readonly options: RepairOptions,
  ) {
    this.pauseUs = options.retryUs;
    this.replayPauseUs = options.historyEveryUs;
  }

  /** How many holes, or groups of them, are chased. */
  get chased(): number {
    return this.chases.length;
  }

  /** Seqs that are missing and chased. */
  get count(): number {
    return this.chases.reduce((count, { seqs }) => count + seqs.count, 0);
  }

  /** Whether it is time for an attempt to fill them. */
  isDue(atUs: number): boolean {
    return this.chases.length > 0 && this.nextAttemptUs <= atUs;
  }

  /** Whether a replica with this context has seen any of what is chased. */
  isKnownTo(context: CausalContext): boolean {
    return this.chases.some((chase) => isKnown(chase, context));
  }

  /** Takes what has come meanwhile out of the chases. */
  dropFilled(): void {
    const holes = new Map<string, SeqSet>();
    for (const chase of this.chases) {
      const { origin } = chase;
      if (!holes.has(origin)) holes.set(origin, this.context.holesOf(origin));
      chase.seqs = chase.seqs.intersect(holes.get(origin)!);
    }
    this.chases = this.chases.filter(({ seqs }) => seqs.intervalCount > 0);
  }

  /** Looks for holes that have outlived the grace. */
  look(atUs: number, nowUs: number): void {
    this.dropFilled();
    if (this.lookedUs + this.options.graceUs > atUs) return;
    const holes = this.context.holes();
    for (const { origin, seqs } of this.chases) holes.set(origin, holes.get(origin)!.minus(seqs));
    // Live peers first; then the others, the oldest first.
    for (const ofLivePeers of [true, false]) {
      for (const [origin, missing] of holes) {
        if (this.context.isProtected(origin) !== ofLivePeers) continue;
        const lasting = missing.intersect(this.candidates.get(origin) ?? NONE);
        if (lasting.intervalCount === 0 || !this.makeRoom(ofLivePeers)) continue;
        this.chases.push({ origin, seqs: lasting, sinceUs: atUs, noticedUs: nowUs, replayed: false });
        // What was lost just now does not wait for what nobody has.
        this.nextAttemptUs = atUs;
        this.pauseUs = this.options.retryUs;
      }
    }
    this.candidates = holes;
    this.lookedUs = atUs;
  }

  private makeRoom(forLivePeer: boolean): boolean {
    if (this.chases.length < MAX_CHASES) return true;
    this.deferred++;
    if (!forLivePeer) return false;
    const newest = this.chases.findLastIndex(({ origin }) => !this.context.isProtected(origin));
    if (newest === -1) return false;
    this.chases.splice(newest, 1);
    return true;
  }

  /** Gives up what nobody could fill in time, and answers it. */
  giveUpOld(atUs: number): readonly { readonly origin: string; readonly seqs: SeqSet }[] {
    const old = this.chases.filter(({ sinceUs }) => atUs - sinceUs >= this.options.giveUpAfterUs);
    for (const { origin, seqs } of old) this.context.giveUp(origin, seqs);
    if (old.length > 0) this.chases = this.chases.filter((chase) => !old.includes(chase));
    return old;
  }

  /** An attempt is made: the next one is later, and the one after it later still. */
  backOff(atUs: number): void {
    this.nextAttemptUs = atUs + this.pauseUs;
    this.pauseUs = Math.min(this.pauseUs * 2, this.options.retryMostUs);
  }

  /** From when on the history is to be replayed, for holes that no peer can fill by the contexts of the peers. */
  wantsHistorySince(atUs: number, ofPeers: readonly CausalContext[]): number | undefined {
    if (this.replayedUs + this.replayPauseUs > atUs) return undefined;
    const wanting = this.wanting(atUs, ofPeers);
    if (wanting.length === 0) return undefined;
    return Math.max(0, Math.min(...wanting.map(({ noticedUs }) => noticedUs)) - this.options.historyReachUs);
  }

  /** That replay has begun: there is no other one for the same holes, and for other ones after a pause, which grows. */
  historyIsReplayed(atUs: number, ofPeers: readonly CausalContext[]): void {
    const { historyEveryUs, historyEveryMostUs } = this.options;
    const again = this.replayedUs + 2 * historyEveryMostUs > atUs;
    this.replayPauseUs = again ? Math.min(2 * this.replayPauseUs, historyEveryMostUs) : historyEveryUs;
    this.replayedUs = atUs;
    for (const chase of this.wanting(atUs, ofPeers)) chase.replayed = true;
  }

  private wanting(atUs: number, ofPeers: readonly CausalContext[]): Chase[] {
    return this.chases.filter(
      (chase) =>
        !chase.replayed &&
        chase.sinceUs + this.options.historyAfterUs <= atUs &&
        !ofPeers.some((context) => isKnown(chase, context)),
    );
  }
}

function isKnown({ origin, seqs }: Chase, context: CausalContext): boolean {
  return context.seenOf(origin, seqs).intervalCount > 0;
}
