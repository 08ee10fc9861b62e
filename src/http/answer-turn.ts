/**
 * The requests of one turn of the event loop, worked off together in its next phase: first all reports, then the queries, then the
 * answers. An answer that is written between the parsing of two requests wakes its reader at once, and this process pays for each
 * waking; and the code of parsing, of work and of answers would take turns in the processor's caches. An idle process gets to the
 * next phase at once, so nothing waits there.
 *
 * Node.js accepts one connection a turn. Where many come at once, the last of them would wait for all that is asked on those before
 * it; so answers are held while each turn brings one more.
 */

/** How long an answer is held at most while connections come. A gateway gives a replica 100 ms. */
const MAX_HELD_MS = 40;

/** Takes a report, and returns what then answers it. */
type Work = () => () => void;

export class AnswerTurn {
  private queries: (() => void)[] = [];
  private reports: Work[] = [];
  private scheduled = false;
  private sinceMs = 0;
  private accepted = false;

  /** `whenPublished` calls back when what was published before has left the process. */
  constructor(
    private readonly whenPublished: (callback: () => void) => void,
    private readonly monotonicMs: () => number,
  ) {}

  /** A connection has come in this turn. */
  connectionAccepted(): void {
    this.accepted = true;
  }

  /** `answer` reads what it answers with itself: by then everything that came before it on its connection has been applied. */
  query(answer: () => void): void {
    this.queries.push(answer);
    this.schedule();
  }

  /** Answered when its event has left: not even kill -9 takes back what a gateway was told. */
  report(work: Work): void {
    this.reports.push(work);
    this.schedule();
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    this.sinceMs = this.monotonicMs();
    setImmediate(this.give);
  }

  private readonly give = (): void => {
    if (this.accepted) {
      this.accepted = false;
      if (this.monotonicMs() - this.sinceMs < MAX_HELD_MS) {
        setImmediate(this.give);
        return;
      }
    }
    const { queries, reports } = this;
    this.queries = [];
    this.reports = [];
    this.scheduled = false;
    const answers = reports.map((work) => work());
    for (const answer of queries) answer();
    if (answers.length > 0) {
      this.whenPublished(() => {
        for (const answer of answers) answer();
      });
    }
  };
}
