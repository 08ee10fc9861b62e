/** The request as handlers see it: express's, with the time at which it came in. */
import express, { type Request } from 'express';
import { IncomingMessage, ServerResponse } from 'node:http';

export type ApiRequest = Request & {
  /** By the monotonic clock, when the headers had been parsed. */
  readonly startedMs: number;
};

export interface MessageClasses {
  readonly IncomingMessage: typeof IncomingMessage;
  readonly ServerResponse: typeof ServerResponse;
}

/**
 * Express sets the prototype of every request and response to its app's `request` and `response`, which throws the
 * engine off its fast paths for everything that follows, unless the prototype is that object already. So servers
 * build both from classes whose prototypes are put in those two places, in front of express's own. One pair of classes for all
 * servers of a process: two would make everything that handles a request slower.
 */
export function createMessageClasses(monotonicMs: () => number): MessageClasses {
  class TimedRequest extends IncomingMessage {
    readonly startedMs = monotonicMs();
  }
  class ApiResponse<R extends IncomingMessage = IncomingMessage> extends ServerResponse<R> {}
  Object.setPrototypeOf(TimedRequest.prototype, express.request);
  Object.setPrototypeOf(ApiResponse.prototype, express.response);
  return { IncomingMessage: TimedRequest, ServerResponse: ApiResponse };
}
