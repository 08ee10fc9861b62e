/** The request as handlers see it: express's, with the time at which it came in. */
import express, { type Request } from 'express';
import { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

export type ApiRequest = Request & {
  /** By the monotonic clock, when the headers had been parsed. */
  readonly startedMs: number;
  /** From now on called with each chunk of the body and, once it is complete, with null; not at all for what breaks off. */
  collectBody(takeChunk: TakeChunk): void;
};

type TakeChunk = (chunk: Buffer | null) => void;
const discard: TakeChunk = () => {};

export interface MessageClasses {
  readonly IncomingMessage: typeof IncomingMessage;
  readonly ServerResponse: typeof ServerResponse;
}

/**
 * Express sets the prototype of every request and response to its app's `request` and `response`, which throws the
 * engine off its fast paths for everything that follows, unless the prototype is that object already. So servers
 * build both from classes whose prototypes are put in those two places, in front of express's own. One pair of classes for all
 * servers of a process: two would make everything that handles a request slower.
 *
 * A body does not pass through the request's stream, whose events take a tenth of what a report costs: node's parser gives what it
 * has read to `push`, and that hands it on. Nobody reads the request as a stream.
 */
export function createMessageClasses(monotonicMs: () => number): MessageClasses {
  class TimedRequest extends IncomingMessage {
    readonly startedMs = monotonicMs();
    private takeChunk: TakeChunk = discard;

    constructor(socket: Socket) {
      super(socket);
      // What was never read would be resumed at its end, which costs as much again.
      this._read(0);
    }

    collectBody(takeChunk: TakeChunk): void {
      this.takeChunk = takeChunk;
    }

    override push(chunk: Buffer | null): boolean {
      this.takeChunk(chunk);
      return true;
    }
  }
  class ApiResponse<R extends IncomingMessage = IncomingMessage> extends ServerResponse<R> {}
  Object.setPrototypeOf(TimedRequest.prototype, express.request);
  Object.setPrototypeOf(ApiResponse.prototype, express.response);
  return { IncomingMessage: TimedRequest, ServerResponse: ApiResponse };
}
