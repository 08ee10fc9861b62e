/**
 * The second listener, for diagnosis: CPU profile, heap snapshot, event-loop delay. Apart from the API, because what it
 * offers slows or stops the replica and, in a heap snapshot, holds everything that is in memory, tokens and keys too.
 * So it is off by default, listens on the loopback address unless told otherwise, and wants a token where the API does.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream';
import { getHeapSnapshot } from 'node:v8';
import type { Logger } from 'pino';
import { isCrossSite } from '../http/cross-site';
import { ApiError } from '../http/errors';
import { onceOver } from '../http/once-over';
import { queryValue } from '../http/query-string';
import type { AccessTokens } from '../security/access-tokens';
import { cpuProfileJson } from './cpu-profile';
import { EventLoopDelay } from './event-loop-delay';

const DEFAULT_PROFILE_SECONDS = 10;
const MAX_PROFILE_SECONDS = 120;
const SERVER_OPTIONS = { headersTimeout: 5_000, requestTimeout: 5_000, connectionsCheckingInterval: 1_000 };
const MAX_CONNECTIONS = 16;

type Work = (url: string, res: ServerResponse) => void | Promise<void>;

export class DebugServer {
  private readonly server: Server;
  private readonly delay = new EventLoopDelay();
  private readonly stopped = new AbortController();
  private readonly routes: Readonly<Record<string, Work>> = {
    '/debug/cpu-profile': (url, res) => this.oneAtATime(res, () => this.cpuProfile(url, res)),
    '/debug/heap-snapshot': (_url, res) => this.oneAtATime(res, () => this.heapSnapshot(res)),
    '/debug/event-loop': (url, res) => this.eventLoop(url, res),
  };
  private busy = false;

  constructor(
    /** Undefined: nobody needs a token. */
    private readonly accessTokens: AccessTokens | undefined,
    private readonly logger: Logger,
  ) {
    this.server = createServer(SERVER_OPTIONS, (req, res) => this.handle(req, res));
    this.server.maxConnections = MAX_CONNECTIONS;
  }

  /** Resolves with the port once it is open. */
  listen(host: string, port: number): Promise<number> {
    this.delay.start();
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen({ host, port }, () => {
        this.server.off('error', reject);
        resolve((this.server.address() as AddressInfo).port);
      });
    });
  }

  /** Cuts whatever is under way: nothing here is worth waiting for. */
  stop(): Promise<void> {
    this.stopped.abort();
    this.delay.stop();
    return new Promise((resolve) => {
      this.server.close(() => resolve());
      this.server.closeAllConnections();
    });
  }

  private handle(req: IncomingMessage, res: ServerResponse): void {
    req.resume();
    res.setHeader('X-Content-Type-Options', 'nosniff');
    res.setHeader('Cache-Control', 'no-store');
    const { url = '' } = req;
    const [path = ''] = url.split('?');
    const work = Object.hasOwn(this.routes, path) ? this.routes[path] : undefined;
    if (isCrossSite(req)) {
      say(res, 403, 'not for web pages of other origins');
    } else if (this.accessTokens && !this.accessTokens.accepts(req.headers.authorization)) {
      res.setHeader('WWW-Authenticate', 'Bearer');
      say(res, 401, 'needs a valid bearer token');
    } else if (!work) {
      say(res, 404, `there are ${Object.keys(this.routes).join(', ')}`);
    } else if (req.method !== 'GET') {
      res.setHeader('Allow', 'GET');
      say(res, 405, 'only GET');
    } else {
      void this.attempt(res, async () => work(url, res));
    }
  }

  private async attempt(res: ServerResponse, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (error instanceof ApiError) {
        say(res, error.kind.status, error.reason);
        return;
      }
      if (!this.stopped.signal.aborted) this.logger.error({ err: error }, 'diagnosis failed');
      if (res.headersSent) res.destroy();
      else say(res, 500, 'failed; the log says why');
    }
  }

  private async oneAtATime(res: ServerResponse, work: () => Promise<void>): Promise<void> {
    if (this.busy) {
      say(res, 503, 'a profile or a snapshot is being taken');
      return;
    }
    this.busy = true;
    try {
      await work();
    } finally {
      this.busy = false;
    }
  }

  private async cpuProfile(url: string, res: ServerResponse): Promise<void> {
    const asked = queryValue(url, 'seconds');
    const seconds =
      asked === undefined ? DEFAULT_PROFILE_SECONDS : /^\d{1,3}$/.test(asked) ? Number(asked) : 0;
    if (seconds < 1 || seconds > MAX_PROFILE_SECONDS) {
      say(res, 400, `seconds must be an integer from 1 to ${MAX_PROFILE_SECONDS}`);
      return;
    }
    const gone = new AbortController();
    onceOver(res, () => gone.abort());
    this.logger.info({ seconds }, 'CPU profile begins');
    const json = await cpuProfileJson(seconds, AbortSignal.any([gone.signal, this.stopped.signal])).catch(
      (error: unknown) => {
        if (gone.signal.aborted) return undefined;
        throw error;
      },
    );
    if (json === undefined) return;
    res.setHeader('Content-Type', 'application/json; charset=utf-8');
    res.setHeader('Content-Disposition', 'attachment; filename="metadata-center.cpuprofile"');
    res.end(json);
  }

  private heapSnapshot(res: ServerResponse): Promise<void> {
    this.logger.warn('heap snapshot: the replica stands still until it is taken');
    res.setHeader('Content-Type', 'application/json; charset=utf-8');
    res.setHeader('Content-Disposition', 'attachment; filename="metadata-center.heapsnapshot"');
    const snapshot = getHeapSnapshot();
    return new Promise((resolve) => {
      onceOver(res, () => {
        snapshot.destroy();
        resolve();
      });
      pipeline(snapshot, res, () => undefined);
    });
  }

  private eventLoop(url: string, res: ServerResponse): void {
    const reset = queryValue(url, 'reset') === 'true';
    res.setHeader('Content-Type', 'application/json; charset=utf-8');
    res.end(this.delay.toJson());
    if (reset) this.delay.reset();
  }
}

function say(res: ServerResponse, status: number, text: string): void {
  res.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' }).end(`${text}\n`);
}
