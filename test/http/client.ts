/** Two ways to talk to a replica: well-formed requests whose answers are held to the envelope, and raw bytes. */
import assert from 'node:assert/strict';
import { Agent, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { assertConforms } from './conformance';

export interface Envelope {
  readonly status: 'OK' | 'ERROR';
  readonly error: { readonly code: number; readonly message: string; readonly reason: string } | null;
  readonly data: unknown;
  readonly trace_id: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

export interface JsonAnswer extends Answer {
  readonly envelope: Envelope;
  /** The error's code; 0 for an OK answer. */
  readonly code: number;
  readonly reason: string;
}

export interface CallOptions {
  readonly body?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

/** From the contract, and the two additions for requests that never arrive whole. */
const statusOfCode: Readonly<Record<number, number>> = {
  40001000: 400,
  40001400: 400,
  40001404: 404,
  40101001: 401,
  40301000: 403,
  40401000: 404,
  40401001: 404,
  40501000: 405,
  40801000: 408,
  40901000: 409,
  41301000: 413,
  41501000: 415,
  42901000: 429,
  43101000: 431,
  50001000: 500,
  50301000: 503,
};

const agent = new Agent({ keepAlive: true, maxSockets: 20 });

/** Closes the connections that calls keep open for each other. */
export function closeConnections(): void {
  agent.destroy();
}

export function call(port: number, method: string, path: string, options: CallOptions = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const req = request(
      { host: '127.0.0.1', port, method, path, agent, headers: { ...options.headers } },
      (res) => {
        const chunks: Buffer[] = [];
        res.on('data', (chunk: Buffer) => chunks.push(chunk));
        res.on('error', reject);
        res.on('end', () => {
          const status = res.statusCode ?? 0;
          const text = Buffer.concat(chunks).toString();
          try {
            assertConforms(method, path, status, String(res.headers['content-type']), text);
          } catch (error) {
            reject(error instanceof Error ? error : new Error(String(error)));
            return;
          }
          resolve({ status, headers: res.headers, text });
        });
      },
    );
    req.on('error', reject);
    if (options.body !== undefined && req.getHeader('Transfer-Encoding') === undefined) {
      req.setHeader('Content-Length', Buffer.byteLength(options.body));
    }
    req.end(options.body);
  });
}

/** A call whose answer must be an envelope, complete and consistent with its status and headers. */
export async function callJson(
  port: number,
  method: string,
  path: string,
  options?: CallOptions,
): Promise<JsonAnswer> {
  return asJson(await call(port, method, path, options));
}

export function asJson(answer: Answer): JsonAnswer {
  assert.equal(answer.headers['content-type'], 'application/json; charset=utf-8');
  const envelope = JSON.parse(answer.text) as Envelope;
  assert.deepEqual(Object.keys(envelope), ['status', 'error', 'data', 'trace_id']);
  assert.equal(answer.headers['x-trace-id'], envelope.trace_id);
  assert.match(envelope.trace_id, /^[\x20-\x7e]{1,256}$/);
  if (envelope.status === 'OK') {
    assert.equal(answer.status, 200);
    assert.equal(envelope.error, null);
    return { ...answer, envelope, code: 0, reason: '' };
  }
  assert.equal(envelope.status, 'ERROR');
  assert(envelope.error !== null);
  const { code, message, reason } = envelope.error;
  assert.equal(answer.status, statusOfCode[code]);
  assert(message.length > 0 && reason.length > 0);
  return { ...answer, envelope, code, reason };
}

export const post = (port: number, body: unknown): Promise<JsonAnswer> =>
  report(port, 'POST', '/v1/load/stats', body);
export const put = (port: number, body: unknown): Promise<JsonAnswer> =>
  report(port, 'PUT', '/v1/load/stats', body);
export const del = (port: number, body: unknown): Promise<JsonAnswer> =>
  report(port, 'DELETE', '/v1/load/stats', body);
export const delPrompt = (port: number, body: unknown): Promise<JsonAnswer> =>
  report(port, 'DELETE', '/v1/load/prompt', body);
export const select = (port: number, body: unknown): Promise<JsonAnswer> =>
  report(port, 'POST', '/v1/load/select', body);

/** A string or buffer is sent as it is, anything else as its JSON. */
function report(port: number, method: string, path: string, body: unknown): Promise<JsonAnswer> {
  const isText = typeof body === 'string' || Buffer.isBuffer(body);
  return callJson(port, method, path, { body: isText ? body : JSON.stringify(body) });
}

export interface Row {
  readonly ip: string;
  readonly queued_req_num: number;
  readonly prompt_length: number;
  readonly prefill_req_num: number;
  readonly updated_time: number;
}

export async function rows(port: number, cluster: string): Promise<Row[]> {
  const answer = await callJson(port, 'GET', `/v1/load/stats?cluster=${encodeURIComponent(cluster)}`);
  return answer.envelope.data as Row[];
}

/** A connection of its own, for bytes that no HTTP client would send. */
export class RawConnection {
  received = '';
  closed = false;
  private changed: () => void = () => undefined;

  private constructor(readonly socket: Socket) {
    socket.on('data', (chunk) => {
      this.received += chunk.toString('latin1');
      this.changed();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.closed = true;
      this.changed();
    });
  }

  static open(port: number): Promise<RawConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => resolve(new RawConnection(socket)));
      socket.once('error', reject);
    });
  }

  send(bytes: string | Buffer): this {
    this.socket.write(bytes);
    return this;
  }

  /** Resolves once `enough` holds; it is asked again after whatever comes in. */
  async until(enough: () => boolean): Promise<void> {
    while (!enough()) {
      if (this.closed) throw new Error(`closed after: ${this.received}`);
      await new Promise<void>((resolve) => (this.changed = resolve));
    }
  }

  /** Resolves when the replica has closed the connection. */
  async untilClosed(): Promise<void> {
    while (!this.closed) await new Promise<void>((resolve) => (this.changed = resolve));
  }

  /** The next complete answer, taken off what was received. */
  async answer(): Promise<JsonAnswer> {
    let end = -1;
    await this.until(() => {
      const headEnd = this.received.indexOf('\r\n\r\n');
      const length = /content-length: (\d+)/i.exec(this.received.slice(0, headEnd))?.[1];
      end = headEnd + 4 + Number(length);
      return headEnd !== -1 && this.received.length >= end;
    });
    const [head, text] = this.received.slice(0, end).split('\r\n\r\n') as [string, string];
    this.received = this.received.slice(end);
    const [statusLine = '', ...lines] = head.split('\r\n');
    const headers: Record<string, string> = {};
    for (const line of lines)
      headers[line.slice(0, line.indexOf(':')).toLowerCase()] = line.slice(line.indexOf(':') + 2);
    return asJson({ status: Number(statusLine.split(' ')[1]), headers, text });
  }

  close(): void {
    this.socket.destroy();
  }
}
