/**
 * Whether two replicas that have seen the same events hold the same state.
 *
 * While reports come in, their contexts are never equal at the same moment. So what differs is looked at three times. Each
 * time either side must have seen by then all that the other had seen the time before: of an event that only one had at
 * the first look, either its record is on both sides at the second, or what ended it is by the third. What has changed
 * on neither side all the while is no event under way.
 */
import type { CausalContext } from '../core/causal-context';
interface Look {
  readonly number: number;
  readonly ours: CausalContext;
  readonly theirs: CausalContext;
  /** By second, what each side had. */
  readonly differences: ReadonlyMap<string, string>;
}

/**
 * `agreed`: there is nothing to see. `open`: there are differences, look again soon. `waiting`: they are still there, and
 * so are events that one side lacks. `diverged`: they last. `incomplete`: they last, but what one side had not seen, and
 * may hold unclaimed from a transfer that broke off, the other one lacks still.
 */
export type AgreementState = 'agreed' | 'open' | 'waiting' | 'incomplete' | 'diverged';

const LOOKS = 3;

export class Agreement {
  private last: Look | undefined;
  /** Takes what each side has seen, and in what they differ. Events from before `sinceUs` don't matter any more. */
  check(
    copyOfOurs: () => CausalContext,
    theirs: CausalContext,
    found: ReadonlyMap<string, string>,
    sinceUs: number,
  ): AgreementState {
    const { last } = this;
    const differences = new Map(
      [...found].filter(([second, digests]) => !last || last.differences.get(second) === digests),
    );
    if (differences.size === 0) {
      this.last = undefined;
      return 'agreed';
    }
    const ours = copyOfOurs();
    const caughtUp = !last || (ours.includes(last.theirs, sinceUs) && theirs.includes(last.ours, sinceUs));
    if (!caughtUp) return 'waiting';
    const number = (last?.number ?? 0) + 1;
    if (last && number === LOOKS) {
      this.last = undefined;
      const unclaimed = theirs.missesSame(last.ours, sinceUs) || ours.missesSame(last.theirs, sinceUs);
      return unclaimed ? 'incomplete' : 'diverged';
    }
    this.last = { number, ours, theirs, differences };
    return 'open';
  }
}
