/**
 * The holes that are chased: which lost events have been missing for longer than events on their way may be, for how
 * long, and which of them are given up. Knows nothing of peers; what fills a hole is decided elsewhere.
 */
import type { CausalContext } from '../core/causal-context';
import { SeqSet } from '../core/seq-set';

export interface HoleChaseOptions {
  /** How long a hole may last before it is chased: events on their way are not lost. */
  readonly graceUs: number;
  /** A hole this old is given up: counted, no longer chased, still open for a late arrival. */
  readonly giveUpAfterUs: number;
}

/** Holes of one origin that were noticed at the same time. */
export interface Chase {
  readonly origin: string;
  seqs: SeqSet;
  readonly sinceUs: number;
  /** How often the history was replayed for it. */
  replays: number;
}

export class HoleChase {
  private chases: Chase[] = [];
  /** Holes seen at the last look, not yet old enough to chase. */
  private candidates = new Map<string, SeqSet>();
  private lookedUs = -Infinity;

  constructor(
    private readonly context: CausalContext,
    private readonly options: HoleChaseOptions,
  ) {}

  get all(): readonly Chase[] {
    return this.chases;
  }

  /** Seqs that are missing and chased. */
  get count(): number {
    return this.chases.reduce((count, { seqs }) => count + seqs.count, 0);
  }

  /** Takes what has come meanwhile out of the chases. */
  dropFilled(): void {
    if (this.chases.length === 0) return;
    const holes = this.context.holes();
    for (const chase of this.chases)
      chase.seqs = chase.seqs.intersect(holes.get(chase.origin) ?? new SeqSet());
    this.chases = this.chases.filter(({ seqs }) => seqs.intervalCount > 0);
  }

  /** Looks for holes that have outlived the grace; true when there are new ones. */
  look(nowUs: number): boolean {
    this.dropFilled();
    if (this.lookedUs + this.options.graceUs > nowUs) return false;
    const holes = this.context.holes();
    let found = false;
    for (const [origin, missing] of holes) {
      let lasting = missing.intersect(this.candidates.get(origin) ?? new SeqSet());
      for (const chase of this.chases) if (chase.origin === origin) lasting = lasting.minus(chase.seqs);
      if (lasting.intervalCount === 0) continue;
      this.chases.push({ origin, seqs: lasting, sinceUs: nowUs, replays: 0 });
      found = true;
    }
    this.candidates = holes;
    this.lookedUs = nowUs;
    return found;
  }

  /** Gives up what nobody could fill in time, and answers it. */
  giveUpOld(nowUs: number): Chase[] {
    const old = this.chases.filter(({ sinceUs }) => sinceUs + this.options.giveUpAfterUs <= nowUs);
    for (const { origin, seqs } of old) this.context.giveUp(origin, seqs);
    if (old.length > 0) this.chases = this.chases.filter((chase) => !old.includes(chase));
    return old;
  }

  /** Whether a replica with this context has seen any of what is chased. */
  isKnownTo(context: CausalContext): boolean {
    return this.chases.some(({ origin, seqs }) => context.seenOf(origin, seqs).intervalCount > 0);
  }
}
