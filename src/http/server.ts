/**
 * The HTTP server: limits on everything that a connection may cost, and a stop that loses no accepted request.
 * Routes and answers are elsewhere; this is about connections.
 */
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { HttpMetrics } from '../observability/http-metrics';
import { AnswerTurn } from './answer-turn';
import { Answers } from './answers';
import { createApi } from './api';
import type { ApiRequest } from './api-request';
import { answerConnect, answerMalformed } from './client-error';
import type { HttpDependencies } from './dependencies';
import { ApiError } from './errors';
import { checkedKeyPair } from './key-pair';
import { type HttpServerOptions, httpServerOptions } from './server-options';
import { TraceIds } from './trace-ids';

export class HttpServer {
  private readonly answers: Answers;
  readonly metrics: HttpMetrics;
  private readonly server: Server | TlsServer;
  private readonly tlsServer: TlsServer | undefined;
  /** As they were accepted and, once a TLS handshake is over, in their decrypted form too. */
  private readonly sockets = new Set<Socket>();
  private open = 0;

  constructor(
    dependencies: HttpDependencies,
    private readonly options: HttpServerOptions = httpServerOptions,
    /** `https` needs a certificate before it listens. */
    protocol: 'http' | 'https' = 'http',
  ) {
    const { logger, messageClasses, monotonicMs, randomBytes, registry, replicator } = dependencies;
    this.metrics = new HttpMetrics(registry);
    this.answers = new Answers(new TraceIds(randomBytes), this.metrics, logger, monotonicMs);
    const turn = new AnswerTurn((callback) => replicator.whenPublished(callback), monotonicMs);
    const app = createApi(dependencies, this.answers, turn);

    const onRequest: RequestListener = (req, res) => {
      const hosts = hostHeaders(req.rawHeaders);
      if (hosts === 1 || (hosts === 0 && req.httpVersionMinor === 0)) app(req, res);
      else {
        const reason = `the Host header ${hosts === 0 ? 'is required' : 'must be given only once'}`;
        this.answers.error(
          req as ApiRequest,
          res,
          new ApiError('invalidInput', reason, hosts > 1 ? { Connection: 'close' } : {}),
        );
      }
    };
    const { maxConnections, maxHeadersCount, answerTimeoutMs, ...nodes } = this.options;
    const serverOptions = { ...nodes, ...messageClasses, requireHostHeader: false };
    this.tlsServer = protocol === 'https' ? createTlsServer(serverOptions, onRequest) : undefined;
    this.server = this.tlsServer ?? createServer(serverOptions, onRequest);
    this.server.maxConnections = maxConnections;
    this.server.maxHeadersCount = maxHeadersCount;
    this.server.timeout = answerTimeoutMs;
    // Who sends no more after a report still waits for its answer; streams end by themselves (once-over.ts).
    (this.server as { httpAllowHalfOpen?: boolean }).httpAllowHalfOpen = true;
    this.server.on('checkContinue', (req, res) => {
      // Whether its body comes is known only where the body is read, so the connection can't be used for another request.
      res.shouldKeepAlive = false;
      onRequest(req, res);
    });
    this.server.on('checkExpectation', onRequest);
    this.server.on('clientError', (error, socket) => answerMalformed(error, socket, this.answers));
    this.server.on('connect', (_req, socket) => answerConnect(socket, this.answers));
    const track = (socket: Socket): void => {
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
    };
    this.server.on('connection', (socket: Socket) => {
      track(socket);
      turn.connectionAccepted();
      this.open++;
      socket.once('close', () => this.open--);
    });
    this.tlsServer?.on('secureConnection', track);
  }

  get connections(): number {
    return this.open;
  }

  /** For connections from now on; throws, and changes nothing, when the two cannot be used together. */
  useKeyPair(cert: Buffer, key: Buffer): void {
    this.tlsServer?.setSecureContext(checkedKeyPair(cert, key));
  }

  /** Resolves with the port once it is open. */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen({ host, port, backlog: this.options.backlog }, () => {
        this.server.off('error', reject);
        resolve((this.server.address() as AddressInfo).port);
      });
    });
  }

  /**
   * Takes no more connections, answers what has been accepted, and resolves when every connection is closed; after
   * `withinMs` those that are left are cut.
   */
  stop(withinMs: number): Promise<void> {
    this.answers.closing = true;
    return new Promise((resolve) => {
      const cut = setTimeout(() => {
        for (const socket of this.sockets) socket.destroy();
      }, withinMs);
      this.server.close(() => {
        clearTimeout(cut);
        resolve();
      });
      this.server.closeIdleConnections();
      // Node does not count a connection as idle before its first byte, nor before its handshake is over.
      for (const socket of this.sockets) if (socket.bytesRead === 0) socket.destroy();
    });
  }
}

/** Node keeps the first of several in silence, and others on the way may keep another. */
function hostHeaders(rawHeaders: readonly string[]): number {
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!;
    if (name.length === 4 && name.toLowerCase() === 'host') count++;
  }
  return count;
}
