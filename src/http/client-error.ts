/** Answers to what never became a request: malformed or oversized headers, requests that take too long, CONNECT. */
import type { ServerResponse } from 'node:http';
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
  if (!canStillAnswer(socket)) {
    socket.destroy();
    return;
  }
  const [name, reason] = KNOWN[error.code ?? ''] ?? MALFORMED;
  endWith(socket, answers.errorWithoutRequest(new ApiError(name, reason)));
}

export function answerConnect(socket: Duplex, answers: Answers): void {
  const allow = { Allow: 'GET, HEAD, POST, PUT, DELETE, OPTIONS' };
  endWith(
    socket,
    answers.errorWithoutRequest(new ApiError('methodNotAllowed', `allowed: ${allow.Allow}`, allow)),
  );
}

type Connection = Duplex & {
  readonly _httpMessage?: ServerResponse | null;
  readonly secureConnecting?: boolean;
};

/** Not when the peer is gone, before the TLS handshake is over, nor in the middle of another answer: `_httpMessage` is how node itself knows that. */
function canStillAnswer(socket: Connection): boolean {
  return socket.writable && socket.secureConnecting !== true && socket._httpMessage?.headersSent !== true;
}

function endWith(socket: Duplex, answer: string): void {
  socket.end(answer);
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}
