/**
 * The answers of one turn of the event loop, given together in its next phase. An answer that is written between the parsing of
 * two requests wakes its reader at once, and this process pays for each waking; and its code and the kernel's take turns in the
 * processor's caches. An idle process gets to the next phase at once, so nothing waits there.
 */
export class AnswerTurn {
  private queries: (() => void)[] = [];
  private reports: (() => void)[] = [];
  private scheduled = false;

  /** `whenPublished` calls back when what was published before has left the process. */
  constructor(private readonly whenPublished: (callback: () => void) => void) {}

  /** `answer` reads what it answers with itself: by then everything that came before it on its connection has been applied. */
  query(answer: () => void): void {
    this.queries.push(answer);
    this.schedule();
  }

  /** Answered when its event has left: not even kill -9 takes back what a gateway was told. */
  report(answer: () => void): void {
    this.reports.push(answer);
    this.schedule();
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => this.give());
  }

  private give(): void {
    const { queries, reports } = this;
    this.queries = [];
    this.reports = [];
    this.scheduled = false;
    for (const answer of queries) answer();
    if (reports.length > 0) {
      this.whenPublished(() => {
        for (const answer of reports) answer();
      });
    }
  }
}
