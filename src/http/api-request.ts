/** The request as handlers see it: express's, with the time at which it came in. */
import type { Express, Request, Response } from 'express';
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
 * Express sets the prototype of every request and response to `app.request` and `app.response`, which throws the
 * engine off its fast paths for everything that follows, unless the prototype is that object already. So the
 * server builds both from classes whose prototypes are put in those two places, in front of express's own.
 */
export function messageClassesFor(app: Express, monotonicMs: () => number): MessageClasses {
  class TimedRequest extends IncomingMessage {
    readonly startedMs = monotonicMs();
  }
  class ApiResponse<R extends IncomingMessage = IncomingMessage> extends ServerResponse<R> {}
  Object.setPrototypeOf(TimedRequest.prototype, app.request);
  Object.setPrototypeOf(ApiResponse.prototype, app.response);
  app.request = TimedRequest.prototype as unknown as Request;
  app.response = ApiResponse.prototype as unknown as Response;
  return { IncomingMessage: TimedRequest, ServerResponse: ApiResponse };
}
