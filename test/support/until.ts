/** Waiting for what must come true, instead of sleeping for as long as it usually takes. */
import { setTimeout as delay } from 'node:timers/promises';
import { types } from 'node:util';

/** How long a test waits before it gives up: no measure of how fast anything is, so that a busy machine fails no test. */
export const PATIENCE_MS = 30_000;

/** What a look at the condition may take beyond the end, where the machine is busy. */
const LAST_LOOK_MS = 1_000;

/** What comes soon is seen soon, and what takes its time is not asked for all the while: a look may be a request. */
const FIRST_PAUSE_MS = 10;
const MAX_PAUSE_MS = 100;

export interface UntilOptions {
  readonly timeoutMs?: number;
  /** Between two looks; unless it is given, longer each time. */
  readonly intervalMs?: number;
  /** What is awaited, for the failure message; a function can show the state at that moment. */
  readonly describe: string | (() => string);
}

/** Polls until `condition` is neither false, undefined nor throwing, and answers its value. */
export async function until<T>(
  condition: () => T | Promise<T>,
  { timeoutMs = PATIENCE_MS, intervalMs, describe }: UntilOptions,
): Promise<Exclude<T, false | undefined>> {
  let pauseMs = intervalMs ?? FIRST_PAUSE_MS;
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    let failure = '';
    try {
      const value = await within(Math.max(deadline - Date.now(), LAST_LOOK_MS), condition);
      if (value !== false && value !== undefined) return value as Exclude<T, false | undefined>;
    } catch (error) {
      failure = ` (${String(error)})`;
    }
    if (Date.now() >= deadline) {
      const what = typeof describe === 'string' ? describe : describe();
      throw new Error(`not within ${timeoutMs} ms: ${what}${failure}`);
    }
    await delay(pauseMs);
    if (intervalMs === undefined) pauseMs = Math.min(pauseMs * 1.2, MAX_PAUSE_MS);
  }
}

/** The value of `condition`, which may hang, as a call to a process that is stopped does. */
async function within<T>(ms: number, condition: () => T | Promise<T>): Promise<T> {
  const value = condition();
  if (!types.isPromise(value)) return value;
  const end = new AbortController();
  const hangs = delay(ms, undefined, { signal: end.signal }).then(() => {
    throw new Error('the last look at it has no answer');
  });
  try {
    return await Promise.race([value, hangs]);
  } finally {
    end.abort();
  }
}
