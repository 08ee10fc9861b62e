/**
 * The one place where a request is answered: data or error into the envelope, headers, trace id, metrics, log line.
 * And the one place that turns an error into a response.
 */
import { STATUS_CODES, type ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import type { HttpMetrics } from '../observability/http-metrics';
import type { ApiRequest } from './api-request';
import { errorEnvelope, okEnvelope } from './envelope';
import { type ApiError, toApiError } from './errors';
import { onceOver } from './once-over';
import type { TraceIds } from './trace-ids';

const JSON_TYPE = 'application/json; charset=utf-8';

export type Headers = Readonly<Record<string, string>>;
const NO_HEADERS: Headers = {};
/** Answers repeat what callers sent; no browser may take one for a page or a script. */
const NO_SNIFFING = { 'X-Content-Type-Options': 'nosniff' } as const;

export class Answers {
  /** Set while the server shuts down: each answer is then the last one on its connection. */
  closing = false;

  constructor(
    private readonly traceIds: TraceIds,
    private readonly metrics: HttpMetrics,
    private readonly logger: Logger,
    private readonly monotonicMs: () => number,
  ) {}

  /** `dataJson` is JSON text and goes into the envelope as it is. */
  ok(req: ApiRequest, res: ServerResponse, dataJson: string, headers = NO_HEADERS): void {
    const traceId = this.traceIdOf(req);
    this.send(req, res, 200, JSON_TYPE, okEnvelope(dataJson, traceId), traceId, headers);
  }

  /** An answer outside the envelope, for readers that expect a format of their own. */
  text(
    req: ApiRequest,
    res: ServerResponse,
    contentType: string,
    body: string | Buffer,
    headers = NO_HEADERS,
  ): void {
    this.send(req, res, 200, contentType, body, this.traceIdOf(req), headers);
  }

  /** Begins an answer that the caller streams; it is counted when it is over. */
  begin(req: ApiRequest, res: ServerResponse, contentType: string, headers = NO_HEADERS): void {
    const traceId = this.traceIdOf(req);
    res.writeHead(200, { 'Content-Type': contentType, ...NO_SNIFFING, 'X-Trace-ID': traceId, ...headers });
    onceOver(res, () => this.answered(req, 200, traceId));
  }

  error(req: ApiRequest, res: ServerResponse, cause: unknown, dataJson?: string): void {
    const traceId = this.traceIdOf(req);
    const error = toApiError(cause);
    if (error !== cause) this.logger.error({ err: cause, trace_id: traceId }, 'request failed');
    if (res.headersSent) {
      // Too late for an error answer: a cut connection at least does not look like a complete answer.
      req.socket.destroy();
      return;
    }
    const body = errorEnvelope(error, traceId, dataJson);
    this.send(req, res, error.kind.status, JSON_TYPE, body, traceId, error.headers, error.reason);
  }

  /** The whole text of an answer to what could not be parsed as a request. The connection ends with it. */
  errorWithoutRequest(error: ApiError): string {
    const { status } = error.kind;
    const traceId = this.traceIds.next();
    const body = errorEnvelope(error, traceId);
    this.metrics.count(undefined, undefined, status, 0);
    this.logger.debug({ status, trace_id: traceId, reason: error.reason }, 'malformed request');
    const headers = {
      'Content-Type': JSON_TYPE,
      'Content-Length': Buffer.byteLength(body),
      ...NO_SNIFFING,
      'X-Trace-ID': traceId,
      ...error.headers,
      Connection: 'close',
    };
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${body}`;
  }

  private traceIdOf(req: ApiRequest): string {
    return this.traceIds.accept(req.headers['traceid']);
  }

  private send(
    req: ApiRequest,
    res: ServerResponse,
    status: number,
    contentType: string,
    body: string | Buffer,
    traceId: string,
    extraHeaders: Headers,
    reason?: string,
  ): void {
    const bytes = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
    const headers = [
      'Content-Type',
      contentType,
      'Content-Length',
      bytes,
      'X-Content-Type-Options',
      NO_SNIFFING['X-Content-Type-Options'],
      'X-Trace-ID',
      traceId,
    ];
    if (extraHeaders !== NO_HEADERS) headers.push(...Object.entries(extraHeaders).flat());
    if (this.closing) headers.push('Connection', 'close');
    // As many bytes as characters: ASCII, which is written faster when it need not be encoded.
    res.writeHead(status, headers);
    const encoding = bytes === body.length ? 'latin1' : 'utf8';
    const { socket } = res;
    if (socket === null || req.method === 'HEAD') res.end(body, encoding);
    else {
      // `end` with the body would write it and an empty rest: two buffers, which take longer than one.
      socket.cork();
      res.write(body, encoding);
      socket.uncork();
      res.end();
    }
    this.answered(req, status, traceId, reason);
  }

  private answered(req: ApiRequest, status: number, traceId: string, reason?: string): void {
    const route = (req.route as { path: string } | undefined)?.path;
    const durationUs = (this.monotonicMs() - req.startedMs) * 1000;
    this.metrics.count(route, req.method, status, durationUs);
    if (this.logger.isLevelEnabled('debug')) {
      const duration_us = Math.round(durationUs);
      this.logger.debug(
        { method: req.method, route, status, duration_us, trace_id: traceId, reason },
        'request',
      );
    }
  }
}
