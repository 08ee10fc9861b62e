/** One request to one replica: bounded in time, and what comes of it as a value. */
import { setMaxListeners } from 'node:events';
import { type Answer, readAnswer } from './answers';
import { MetadataCenterError } from './errors';
import type { Surroundings } from './surroundings';

export interface Request {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly body?: string;
}

export interface TransportOptions {
  readonly token: string | (() => string) | undefined;
  /** Of undici; what it is made of is its own affair. */
  readonly dispatcher: unknown;
}

export class Transport {
  constructor(
    private readonly options: TransportOptions,
    private readonly surroundings: Pick<Surroundings, 'fetch'>,
  ) {}

  /** Rejects only with the reason of `signal`. */
  async send(
    address: string,
    request: Request,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<Answer> {
    signal?.throwIfAborted();
    const end = new AbortController();
    // One signal may be that of many calls at once, which is no leak.
    if (signal) setMaxListeners(0, signal);
    const abort = (): void => end.abort();
    const timer = setTimeout(abort, timeoutMs);
    signal?.addEventListener('abort', abort);
    try {
      const response = await this.open(address, request, end.signal);
      return readAnswer(response.status, await response.text());
    } catch (cause) {
      signal?.throwIfAborted();
      const why = end.signal.aborted ? `no answer within ${timeoutMs} ms` : 'no answer';
      return {
        kind: 'error',
        error: new MetadataCenterError(0, 0, `${why} from ${address}`, undefined, { cause }),
      };
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    }
  }

  /** An answer that the caller reads itself. */
  open(address: string, { method, path, body }: Request, signal: AbortSignal): Promise<Response> {
    const { token, dispatcher } = this.options;
    const bearer = typeof token === 'function' ? token() : token;
    const init: Record<string, unknown> = {
      method,
      signal,
      // What a redirect leads to is no replica.
      redirect: 'manual',
      headers: {
        ...(body !== undefined && { 'Content-Type': 'application/json' }),
        ...(bearer !== undefined && { Authorization: `Bearer ${bearer}` }),
      },
      ...(body !== undefined && { body }),
      ...(dispatcher !== undefined && { dispatcher }),
    };
    return this.surroundings.fetch(`${address}${path}`, init);
  }
}
