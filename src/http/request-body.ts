/**
 * Collects a request's body up to the limit. By hand, because the body is JSON whatever the Content-Type says and
 * because this is on the path of every report.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ApiRequest } from './api-request';
import { ApiError } from './errors';

/** Of most routes. */
export const MAX_BODY_BYTES = 64 * 1024;
/** Of the routes that take arrays. */
export const MAX_LARGE_BODY_BYTES = 256 * 1024;

/**
 * Calls back at most once. Neither is called when the upload breaks off: then there is nobody left to answer,
 * and nothing was applied. The rest of a body that is too large is read and thrown away for as long as a request may take:
 * a connection closed with unread data is reset, and the reset would overtake the answer that says why.
 */
export function readBody(
  req: ApiRequest,
  res: ServerResponse,
  maxBytes: number,
  onBody: (body: Buffer) => void,
  onTooLarge: () => void,
): void {
  const chunks: Buffer[] = [];
  let receivedBytes = 0;
  let tooLarge = Number(req.headers['content-length'] ?? 0) > maxBytes;
  req.collectBody((chunk) => {
    if (tooLarge) return;
    if (chunk === null) {
      onBody(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
      return;
    }
    receivedBytes += chunk.length;
    if (receivedBytes > maxBytes) {
      tooLarge = true;
      chunks.length = 0;
      onTooLarge();
    } else {
      chunks.push(chunk);
    }
  });
  if (tooLarge) onTooLarge();
  else if (awaitsContinue(req)) res.writeContinue();
}

/** A body that will be refused need not be sent at all. HTTP/1.0 knows no interim answers. */
function awaitsContinue(req: IncomingMessage): boolean {
  return req.httpVersionMinor > 0 && req.headers.expect?.toLowerCase() === '100-continue';
}

export function bodyTooLarge(maxBytes: number): ApiError {
  return new ApiError('bodyTooLarge', `body must be at most ${maxBytes} bytes`);
}
