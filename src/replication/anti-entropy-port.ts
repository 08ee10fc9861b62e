/** What anti-entropy asks of its surroundings, what it reports to an operator, and what it counts. */
import type { SeqSet } from '../core/seq-set';
import type { SnapshotSelection } from '../core/snapshot';
import type { DigestWindow } from './state-comparison';

/** Where the commands go. Each `compare` and `pull` is answered by exactly one call of the machine. */
export interface AntiEntropyPort {
  compare(address: string, window: DigestWindow): void;
  pull(address: string, selection: SnapshotSelection | undefined): void;
  /**
   * Replays what the bus remembers from that time on, 0 for everything; false when it can't now. What comes is seen as
   * any event is, so there is no answer.
   */
  replay(sinceUs: number): boolean;
  /** Asks the peer to compare with this replica soon. */
  nudge(address: string): void;
  /** Something an operator should know. */
  report(event: AntiEntropyEvent): void;
}

export type AntiEntropyEvent =
  | { readonly kind: 'hole-given-up'; readonly origin: string; readonly seqs: SeqSet }
  | {
      readonly kind: 'divergence';
      readonly peer: string;
      readonly replica: string;
      readonly seconds: SnapshotSelection;
    }
  | { readonly kind: 'repaired'; readonly peer: string; readonly records: number; readonly full: boolean };

export class AntiEntropyCounts {
  compares = 0;
  pulls = 0;
  fullPulls = 0;
  failures = 0;
  recordsMerged = 0;
  eventsGivenUp = 0;
  divergences = 0;
  historyReplays = 0;
}
