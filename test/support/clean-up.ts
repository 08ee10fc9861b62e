/**
 * The end of what a test has started, to be run in `afterEach` or `afterAll`: all of it, whatever failed before, the
 * test's own set-up included. So a failed test leaves nothing behind that keeps the run alive or disturbs the next one.
 */

export class CleanUp {
  private steps: (() => unknown)[] = [];

  /** To be called before the next thing that can fail. */
  add(step: () => unknown): void {
    this.steps.push(step);
  }

  /**
   * Answers with what is being started, and sees to its end also where the clean-up comes before the start has
   * succeeded: after a time-out, or beside another start that failed.
   */
  use<T>(starting: Promise<T>, end: (started: T) => unknown): Promise<T> {
    this.add(async () => {
      const [start] = await Promise.allSettled([starting]);
      // Why a start has failed is for its caller to say.
      if (start.status === 'fulfilled') await end(start.value);
    });
    return starting;
  }

  /** The last first. A step that fails keeps no other from its turn; what they failed with is thrown at the end. */
  async run(): Promise<void> {
    const steps = this.steps.reverse();
    this.steps = [];
    const errors: unknown[] = [];
    for (const step of steps) {
      try {
        await step();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1) throw new AggregateError(errors, `clean-up: ${errors.map(String).join('; ')}`);
  }
}
