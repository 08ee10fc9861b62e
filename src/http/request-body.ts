/**
 * Collects a request's body up to the limit. By hand, because the body is JSON whatever the Content-Type says and
 * because this is on the path of every report.
 */
import type { IncomingMessage } from 'node:http';

export const MAX_BODY_BYTES = 64 * 1024;

/**
 * Calls back at most once. Neither is called when the upload breaks off: then there is nobody left to answer,
 * and nothing was applied. The rest of a body that is too large is read and thrown away for as long as a request may take:
 * a connection closed with unread data is reset, and the reset would overtake the answer that says why.
 */
export function readBody(req: IncomingMessage, onBody: (body: Buffer) => void, onTooLarge: () => void): void {
  const chunks: Buffer[] = [];
  let receivedBytes = 0;
  let tooLarge = Number(req.headers['content-length'] ?? 0) > MAX_BODY_BYTES;
  req.on('data', (chunk: Buffer) => {
    if (tooLarge) return;
    receivedBytes += chunk.length;
    if (receivedBytes > MAX_BODY_BYTES) {
      tooLarge = true;
      chunks.length = 0;
      onTooLarge();
    } else {
      chunks.push(chunk);
    }
  });
  req.on('end', () => {
    if (!tooLarge) onBody(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
  });
  if (tooLarge) onTooLarge();
}
