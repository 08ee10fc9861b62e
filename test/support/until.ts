/** Waiting for what must come true, instead of sleeping for as long as it usually takes. */
import { setTimeout as delay } from 'node:timers/promises';

export interface UntilOptions {
  readonly timeoutMs?: number;
  readonly intervalMs?: number;
  /** What is awaited, for the failure message; a function can show the state at that moment. */
  readonly describe: string | (() => string);
}

/** Polls until `condition` is neither false, undefined nor throwing, and answers its value. */
export async function until<T>(
  condition: () => T | Promise<T>,
  { timeoutMs = 10_000, intervalMs = 10, describe }: UntilOptions,
): Promise<Exclude<T, false | undefined>> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    let failure = '';
    try {
      const value = await condition();
      if (value !== false && value !== undefined) return value as Exclude<T, false | undefined>;
    } catch (error) {
      failure = ` (${String(error)})`;
    }
    if (Date.now() >= deadline) {
      const what = typeof describe === 'string' ? describe : describe();
      throw new Error(`not within ${timeoutMs} ms: ${what}${failure}`);
    }
    await delay(intervalMs);
  }
}
