/** A call to any replica: the home of its key first, and the next one where that does not answer. */
import { type Answer, isRetriable } from './answers';
import type { Addresses } from './addresses';
import { MetadataCenterError } from './errors';
import type { ReplicaChoice } from './replica-choice';
import type { Surroundings } from './surroundings';
import type { Request, Transport } from './transport';

export interface CallOptions {
  /** Of one attempt. */
  readonly timeoutMs: number;
  readonly attempts: number;
}

export interface Called {
  readonly answer: Answer;
  /** 1 for an answer to the first. */
  readonly attempts: number;
}

export class Caller {
  /** Attempts beyond the first of their call. */
  retried = 0;

  constructor(
    private readonly addresses: Addresses,
    private readonly choice: ReplicaChoice,
    private readonly transport: Transport,
    private readonly options: CallOptions,
    private readonly surroundings: Pick<Surroundings, 'monotonicMs'>,
  ) {}

  /**
   * What the last attempt came to. `requestOf` makes the request of each attempt out of what came of the one before: the same bytes,
   * unless it says otherwise. Takes no longer than all attempts may. Rejects only with the reason of `signal`.
   */
  async call(
    key: string,
    requestOf: (lost: MetadataCenterError | undefined) => Request,
    signal?: AbortSignal,
  ): Promise<Called> {
    const { timeoutMs, attempts } = this.options;
    try {
      await this.addresses.ready(timeoutMs);
    } catch (error) {
      signal?.throwIfAborted();
      return { answer: { kind: 'error', error: asError(error) }, attempts: 0 };
    }
    const tried = new Set<string>();
    let last: Answer | undefined;
    for (let attempt = 1; ; attempt++) {
      const address = this.choice.pick(key, tried, this.surroundings.monotonicMs())!;
      tried.add(address);
      if (attempt > 1) this.retried++;
      const lost = last?.kind === 'error' ? last.error : undefined;
      last = await this.transport.send(address, requestOf(lost), timeoutMs, signal);
      if (last.kind === 'data' || !isRetriable(last.error)) {
        this.choice.answered(address);
        return { answer: last, attempts: attempt };
      }
      if (last.error.status !== 408) this.choice.failed(address, this.surroundings.monotonicMs());
      if (attempt >= attempts) return { answer: last, attempts: attempt };
    }
  }
}

function asError(error: unknown): MetadataCenterError {
  if (error instanceof MetadataCenterError) return error;
  return new MetadataCenterError(0, 0, String(error), undefined, { cause: error });
}
