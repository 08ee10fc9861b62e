/**
 * The holes that are chased: which lost events have been missing for longer than events on their way may be, when to try
 * to fill them next, whether to look for them in the bus's history, and which of them are given up. Times are monotonic,
 * but for the one from which on the history is searched.
 */
import type { CausalContext } from '../core/causal-context';
import { SeqSet } from '../core/seq-set';

export interface HoleChaseOptions {
  /** How long a hole may last before it is chased: events on their way are not lost. */
  readonly graceUs: number;
  /** A hole this old is given up: counted, no longer chased, still open for a late arrival, or until a peer claims it. */
  readonly giveUpAfterUs: number;
  /** First and longest pause between two attempts to fill the same holes. */
  readonly retryUs: number;
  readonly retryMostUs: number;
  /** A hole that no known peer can fill is looked for in the bus's history when it is this old. */
  readonly historyAfterUs: number;
  /** How far before it was noticed a missing event is looked for. */
  readonly historyReachUs: number;
}

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
  /** Holes seen at the last look, not yet old enough to chase. */
  private candidates = new Map<string, SeqSet>();
  private lookedUs = -Infinity;
  private nextAttemptUs = 0;
  private pauseUs: number;

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
  isDue(atUs: number): boolean {
    return this.chases.length > 0 && this.nextAttemptUs <= atUs;
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
  look(atUs: number, nowUs: number): void {
    this.dropFilled();
    if (this.lookedUs + this.options.graceUs > atUs) return;
    const holes = this.context.holes();
    for (const [origin, missing] of holes) {
      let lasting = missing.intersect(this.candidates.get(origin) ?? new SeqSet());
      for (const chase of this.chases) if (chase.origin === origin) lasting = lasting.minus(chase.seqs);
      if (lasting.intervalCount === 0) continue;
      this.chases.push({ origin, seqs: lasting, sinceUs: atUs, noticedUs: nowUs, replayed: false });
      // What was lost just now does not wait for what nobody has.
      this.nextAttemptUs = atUs;
      this.pauseUs = this.options.retryUs;
    }
    this.candidates = holes;
    this.lookedUs = atUs;
  }

  /** Gives up what nobody could fill in time, and answers it. */
  giveUpOld(atUs: number): readonly { readonly origin: string; readonly seqs: SeqSet }[] {
    const old = this.chases.filter(({ sinceUs }) => atUs - sinceUs >= this.options.giveUpAfterUs);
    for (const { origin, seqs } of old) this.context.giveUp(origin, seqs);
    if (old.length > 0) this.chases = this.chases.filter((chase) => !old.includes(chase));
    return old;
  }

  /** A peer has shown what it has. */
  pulled(atUs: number): void {
    const before = this.count;
    this.dropFilled();
    // Another peer may have the rest of it.
    if (this.count < before) this.pauseUs = this.options.retryUs;
    if (this.chases.length > 0) this.backOff(atUs);
  }

  /** An attempt was made, or has failed: the next one is later, and the one after it later still. */
  backOff(atUs: number): void {
    this.nextAttemptUs = atUs + this.pauseUs;
    this.pauseUs = Math.min(this.pauseUs * 2, this.options.retryMostUs);
  }

  /** From when on the history is to be replayed, for holes that no peer can fill by the contexts of the peers. */
  wantsHistorySince(atUs: number, ofPeers: readonly CausalContext[]): number | undefined {
    const wanting = this.wanting(atUs, ofPeers);
    if (wanting.length === 0) return undefined;
    return Math.max(0, Math.min(...wanting.map(({ noticedUs }) => noticedUs)) - this.options.historyReachUs);
  }

  /** That replay has begun: there is no other one for the same holes. */
  historyIsReplayed(atUs: number, ofPeers: readonly CausalContext[]): void {
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
