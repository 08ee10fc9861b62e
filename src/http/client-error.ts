/** Answers to what never became a request: malformed or oversized headers, requests that take too long, CONNECT. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Answers } from './answers';
import { ApiError, type ErrorName } from './errors';

/** How long the client has to take the answer and close, before the connection is cut. */
const LINGER_MS = 1_000;

const KNOWN: Readonly<Record<string, readonly [ErrorName, string]>> = {
  HPE_HEADER_OVERFLOW: ['headersTooLarge', 'request line and headers are too large'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ['bodyTooLarge', 'chunk extensions are too large'],
  ERR_HTTP_REQUEST_TIMEOUT: ['requestTimeout', 'the request did not arrive in time'],
};
const MALFORMED = ['invalidInput', 'the request is not well-formed HTTP'] as const;

export function answerMalformed(error: NodeJS.ErrnoException, socket: Duplex, answers: Answers): void {
  const [name, reason] = KNOWN[error.code ?? ''] ?? MALFORMED;
  endWith(socket, () => answers.errorWithoutRequest(new ApiError(name, reason)));
}

export function answerConnect(socket: Duplex, answers: Answers): void {
  const allow = { Allow: 'GET, HEAD, POST, PUT, DELETE, OPTIONS' };
  const error = new ApiError('methodNotAllowed', `allowed: ${allow.Allow}`, allow);
  endWith(socket, () => answers.errorWithoutRequest(error));
}

type Connection = Duplex & {
  /** The answer whose turn it is: how node itself knows it. */
  readonly _httpMessage?: (ServerResponse & { readonly req: IncomingMessage }) | null;
  readonly secureConnecting?: boolean;
};

/**
 * The last answer on a connection. Those to the requests before go first: who reported, and then sent rubbish, must not be told
 * that the report was rubbish. Not when the peer is gone, before the TLS handshake is over, nor in the middle of a stream.
 */
function endWith(socket: Connection, answer: () => string): void {
  if (!socket.writable || socket.secureConnecting === true) {
    socket.destroy();
    return;
  }
  const ahead = socket._httpMessage;
  if (ahead && (ahead.writableEnded || (ahead.req.complete && !ahead.headersSent))) {
    // What comes now is not even looked at.
    socket.pause();
    ahead.once('finish', () => {
      // Unless that answer was to be the last.
      if (socket.writable) endWith(socket, answer);
    });
  } else if (ahead?.headersSent === true) {
    socket.destroy();
  } else {
    socket.resume();
    socket.end(answer());
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
  }
}
