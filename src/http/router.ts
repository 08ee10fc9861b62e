/**
 * How a route module puts its routes on the express app. What every route shares is here: errors become answers, a wrong
 * method is answered 405 with `Allow`, OPTIONS says what is allowed, HEAD is GET without the body, and whoever needs a
 * token is asked for it.
 *
 * Express takes a tenth of what a report costs. So a request whose path is spelled as that of a route is handed to the handler
 * that express would find; any other one is left to express.
 */
import type { Express, RequestHandler } from 'express';
import type { ServerResponse } from 'node:http';
import type { AnswerTurn } from './answer-turn';
import type { Answers } from './answers';
import type { ApiRequest } from './api-request';
import { isCrossSite } from './cross-site';
import { ApiError } from './errors';
import { contentOf } from './content-encoding';
import { bodyTooLarge, MAX_BODY_BYTES, readBody } from './request-body';
import type { AccessTokens } from '../security/access-tokens';

export type Handler = (req: ApiRequest, res: ServerResponse) => void | Promise<void>;

/** Each answers the `data` of the envelope as JSON text, or throws. */
export interface JsonHandlers {
  readonly get?: (req: ApiRequest) => string;
  readonly post?: (body: Buffer) => string;
  readonly put?: (body: Buffer) => string;
  readonly delete?: (body: Buffer) => string;
}

export interface Handlers {
  readonly get?: Handler;
  readonly post?: Handler;
  readonly put?: Handler;
  readonly delete?: Handler;
}

/** By the path of the route, not of the request, so that no spelling of a URL leads around the check. */
const NEEDS_TOKEN = /^\/(?:v1|log)(?:\/|$)/;

interface FoundRoute {
  readonly path: string;
  /** By method, as a request names it. */
  readonly handlers: ReadonlyMap<string, Handler>;
}

export class Router {
  private readonly byPath = new Map<string, FoundRoute>();

  constructor(
    private readonly app: Express,
    private readonly answers: Answers,
    /** Undefined: nobody needs a token. */
    private readonly accessTokens: AccessTokens | undefined,
    private readonly turn: AnswerTurn,
  ) {}

  json(path: string, { get, post, put, delete: del }: JsonHandlers, maxBodyBytes = MAX_BODY_BYTES): void {
    this.add(path, {
      ...(get && { get: (req, res) => this.turn.query(() => this.attempt(req, res, () => get(req))()) }),
      ...(post && { post: this.withBody(post, maxBodyBytes) }),
      ...(put && { put: this.withBody(put, maxBodyBytes) }),
      ...(del && { delete: this.withBody(del, maxBodyBytes) }),
    });
  }

  /** Handles a request that is spelled as its route is; false where it is not. */
  handle(req: ApiRequest, res: ServerResponse): boolean {
    const { url, method } = req;
    const queryAt = url.indexOf('?');
    const route = this.byPath.get(queryAt === -1 ? url : url.slice(0, queryAt));
    const handler = route?.handlers.get(method);
    if (handler === undefined) return false;
    req.route = route;
    try {
      handler(req, res)?.catch((error: unknown) => this.answers.error(req, res, error));
    } catch (error) {
      this.answers.error(req, res, error);
    }
    return true;
  }

  /** For answers outside the envelope, and for those that take their time. */
  add(path: string, handlers: Handlers): void {
    const route = this.app.route(path);
    const byMethod = new Map<string, Handler>();
    for (const method of ['get', 'post', 'put', 'delete'] as const) {
      const handler = handlers[method];
      if (handler === undefined) continue;
      const safe = this.guarded(path, method === 'get' ? handler : ofOwnSite(handler));
      byMethod.set(method.toUpperCase(), safe);
      // Requests are built from the class that has `startedMs`, which express's types cannot know.
      route[method](safe as unknown as RequestHandler);
    }
    this.byPath.set(path, { path, handlers: byMethod });
    const others = this.otherMethods(Object.keys(handlers));
    route.all(this.guarded(path, others) as unknown as RequestHandler);
  }

  /** The last one: for every request that no other route has taken. */
  addRest(): void {
    const notFound: Handler = (req, res) => {
      this.answers.error(req, res, new ApiError('routeNotFound', 'no such route'));
    };
    const guarded = this.guarded('/v1', notFound);
    const rest: Handler = (req, res) => (NEEDS_TOKEN.test(req.path) ? guarded : notFound)(req, res);
    this.app.use(rest as unknown as RequestHandler);
  }

  private guarded(path: string, handler: Handler): Handler {
    const { accessTokens } = this;
    if (accessTokens === undefined || !NEEDS_TOKEN.test(path)) return handler;
    return (req, res) => {
      if (accessTokens.accepts(req.headers.authorization)) return handler(req, res);
      const headers = { 'WWW-Authenticate': 'Bearer' };
      this.answers.error(
        req,
        res,
        new ApiError('authenticationFailed', 'needs a valid bearer token', headers),
      );
    };
  }

  private withBody(work: (body: Buffer) => string, maxBytes: number): Handler {
    return (req, res) => {
      readBody(
        req,
        res,
        maxBytes,
        (body) => this.turn.report(() => this.attempt(req, res, () => work(contentOf(req, body, maxBytes)))),
        () => this.answers.error(req, res, bodyTooLarge(maxBytes)),
      );
    };
  }

  /** Does the work at once; what it returns gives the answer. */
  private attempt(req: ApiRequest, res: ServerResponse, work: () => string): () => void {
    try {
      const dataJson = work();
      return () => this.answers.ok(req, res, dataJson);
    } catch (error) {
      return () => this.answers.error(req, res, error);
    }
  }

  private otherMethods(methods: readonly string[]): Handler {
    const allowed = methods.map((method) => method.toUpperCase());
    if (methods.includes('get')) allowed.push('HEAD');
    allowed.push('OPTIONS');
    const allow = { Allow: allowed.join(', ') };
    return (req, res) => {
      if (req.method === 'OPTIONS') this.answers.ok(req, res, 'null', allow);
      else
        this.answers.error(req, res, new ApiError('methodNotAllowed', `allowed here: ${allow.Allow}`, allow));
    };
  }
}

/** What changes state is for gateways and operators, not for the pages that people happen to have open. */
function ofOwnSite(handler: Handler): Handler {
  return (req, res) => {
    if (isCrossSite(req))
      throw new ApiError('crossSite', 'web pages of other origins may change nothing here');
    return handler(req, res);
  };
}
