/**
 * The holes that are chased: which lost events have been missing for longer than events on their way may be, when to try
 * to fill them next, when to look for them in the bus's history, and which of them are given up. Times are those of the
 * pace clock, but for the one from which on the history is searched.
 */
import type { CausalContext } from '../core/causal-context';
import { SeqSet } from '../core/seq-set';

export interface HoleChaseOptions {
  /** How long a hole may last before it is chased: events on their way are not lost. */
  readonly graceUs: number;
  /** A hole this old is given up: counted, no longer chased, still open for a late arrival. */
  readonly giveUpAfterUs: number;
  /** The same for one that a peer claims to have seen, and never shows. */
  readonly giveUpKnownAfterUs: number;
  /** First and longest pause between two attempts to fill the same holes. */
  readonly retryUs: number;
  readonly retryMostUs: number;
  /** A hole that no known peer can fill is looked for in the bus's history when it is this old. */
  readonly historyAfterUs: number;
  /** Pause between two replays of the history for the sake of holes. */
  readonly historyEveryUs: number;
  /** How far before it was noticed a missing event is looked for at first. */
  readonly historyReachUs: number;
}

/** Holes of one origin that were noticed at the same time. */
interface Chase {
  readonly origin: string;
  seqs: SeqSet;
  readonly sinceUs: number;
  /** The same by the wall clock. */
  readonly noticedUs: number;
  /** How often the history was replayed for it. */
  replays: number;
}

/** Once for what the bus took lately, and once for everything that it remembers. */
const REPLAYS_OF_A_HOLE = 2;

export class HoleChase {
  private chases: Chase[] = [];
  /** Holes seen at the last look, not yet old enough to chase. */
  private candidates = new Map<string, SeqSet>();
  private lookedUs = -Infinity;
  private nextAttemptUs = 0;
  private pauseUs: number;
  private nextReplayUs = 0;

  constructor(
    private readonly context: CausalContext,
    private readonly options: HoleChaseOptions,
  ) {
    this.pauseUs = options.retryUs;
  }

  /** Seqs that are missing and chased. */
  get count(): number {
    return this.chases.reduce((count, { seqs }) => count + seqs.count, 0);
  }

  /** Whether it is time for an attempt to fill them. */
  isDue(paceUs: number): boolean {
    return this.chases.length > 0 && this.nextAttemptUs <= paceUs;
  }

  /** Whether a replica with this context has seen any of what is chased. */
  isKnownTo(context: CausalContext): boolean {
    return this.chases.some((chase) => isKnown(chase, context));
  }

  /** Takes what has come meanwhile out of the chases. */
  dropFilled(): void {
    if (this.chases.length === 0) return;
    const holes = this.context.holes();
    for (const chase of this.chases)
      chase.seqs = chase.seqs.intersect(holes.get(chase.origin) ?? new SeqSet());
    this.chases = this.chases.filter(({ seqs }) => seqs.intervalCount > 0);
  }

  /** Looks for holes that have outlived the grace. */
  look(paceUs: number, nowUs: number): void {
    this.dropFilled();
    if (this.lookedUs + this.options.graceUs > paceUs) return;
    const holes = this.context.holes();
    for (const [origin, missing] of holes) {
      let lasting = missing.intersect(this.candidates.get(origin) ?? new SeqSet());
      for (const chase of this.chases) if (chase.origin === origin) lasting = lasting.minus(chase.seqs);
      if (lasting.intervalCount === 0) continue;
      this.chases.push({ origin, seqs: lasting, sinceUs: paceUs, noticedUs: nowUs, replays: 0 });
      // What was lost just now does not wait for what nobody has.
      this.nextAttemptUs = paceUs;
      this.pauseUs = this.options.retryUs;
    }
    this.candidates = holes;
    this.lookedUs = paceUs;
  }

  /** Gives up what nobody could fill in time, and answers it; `ofPeers` are the contexts of the peers. */
  giveUpOld(
    paceUs: number,
    ofPeers: readonly CausalContext[],
  ): readonly { readonly origin: string; readonly seqs: SeqSet }[] {
    const { giveUpAfterUs, giveUpKnownAfterUs } = this.options;
    const old = this.chases.filter((chase) => {
      const ageUs = paceUs - chase.sinceUs;
      if (ageUs < giveUpAfterUs) return false;
      return ageUs >= giveUpKnownAfterUs || !ofPeers.some((context) => isKnown(chase, context));
    });
    for (const { origin, seqs } of old) this.context.giveUp(origin, seqs);
    if (old.length > 0) this.chases = this.chases.filter((chase) => !old.includes(chase));
    return old;
  }

  /** A peer has shown what it has. */
  pulled(paceUs: number): void {
    const before = this.count;
    this.dropFilled();
    // Another peer may have the rest of it.
    if (this.count < before) this.pauseUs = this.options.retryUs;
    if (this.chases.length > 0) this.backOff(paceUs);
  }

  /** An attempt was made, or has failed: the next one is later, and the one after it later still. */
  backOff(paceUs: number): void {
    this.nextAttemptUs = paceUs + this.pauseUs;
    this.pauseUs = Math.min(this.pauseUs * 2, this.options.retryMostUs);
  }

  /**
   * Has the history replayed for holes that no peer can fill, by the contexts of the peers: first what the bus took
   * shortly before they were noticed, then, once, everything that it remembers. True when `replay` has begun to.
   */
  searchHistory(
    paceUs: number,
    ofPeers: readonly CausalContext[],
    replay: (sinceUs: number) => boolean,
  ): boolean {
    if (this.nextReplayUs > paceUs) return false;
    const { historyAfterUs, historyReachUs, historyEveryUs } = this.options;
    const wanting = this.chases.filter(
      (chase) =>
        chase.replays < REPLAYS_OF_A_HOLE &&
        chase.sinceUs + historyAfterUs <= paceUs &&
        !ofPeers.some((context) => isKnown(chase, context)),
    );
    if (wanting.length === 0) return false;
    const sinceUs = wanting.some(({ replays }) => replays > 0)
      ? 0
      : Math.min(...wanting.map((chase) => chase.noticedUs)) - historyReachUs;
    if (!replay(Math.max(0, sinceUs))) return false;
    this.nextReplayUs = paceUs + historyEveryUs;
    for (const chase of wanting) chase.replays++;
    return true;
  }
}

function isKnown({ origin, seqs }: Chase, context: CausalContext): boolean {
  return context.seenOf(origin, seqs).intervalCount > 0;
}
