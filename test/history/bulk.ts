/** Many requests in flight at once, in all the states that a request can be in. */
import { connect } from 'nats';
import type { Workload } from '../convergence/workload';
import { until } from '../support/until';

export const STREAM = 'metadata-center-load';

export interface Bulk {
  /** Ids of requests that have finished. */
  readonly finished: readonly string[];
}

/** Leaves `inFlight` requests in flight: one in five more has finished, one in three of them is past its prefill. */
export async function fill(load: Workload, inFlight: number): Promise<Bulk> {
  const lives = await load.addMany(Math.round(inFlight * 1.25));
  await load.prefillMany(lives.filter((_live, n) => n % 3 === 0));
  const finished = lives.filter((_live, n) => n % 5 === 0);
  await load.finishMany(finished);
  return { finished: finished.map(({ id }) => id) };
}

/**
 * Waits until the stream has taken that many events, or more: one whose bus was away for a moment is published again. A replica answers before its event has left the process, and one
 * that is killed within that millisecond takes the event along.
 */
export async function captured(natsUrl: string, events: number): Promise<void> {
  const connection = await connect({ servers: natsUrl });
  let messages = 0;
  try {
    const manager = await connection.jetstreamManager({ checkAPI: false });
    await until(
      async () => {
        ({ messages } = (await manager.streams.info(STREAM)).state);
        return messages >= events;
      },
      { describe: () => `the stream holds ${events} events; it holds ${messages}` },
    );
  } finally {
    await connection.close();
  }
}
