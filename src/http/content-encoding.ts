/** Bodies that come compressed. What they unfold to has the same limit as what comes plain: a bomb ends there. */
import type { IncomingMessage } from 'node:http';
import { brotliDecompressSync, gunzipSync, inflateRawSync, inflateSync, type ZlibOptions } from 'node:zlib';
import { ApiError } from './errors';
import { bodyTooLarge } from './request-body';

type Decode = (body: Buffer, options: ZlibOptions) => Buffer;

const DECODERS: Readonly<Record<string, Decode>> = {
  gzip: gunzipSync,
  'x-gzip': gunzipSync,
  deflate: (body, options) => (hasZlibHeader(body) ? inflateSync : inflateRawSync)(body, options),
  br: brotliDecompressSync,
};

/** The content of a body of at most `maxBytes`. At once: so little takes less than the way to another thread and back. */
export function contentOf(req: IncomingMessage, body: Buffer, maxBytes: number): Buffer {
  const coding = req.headers['content-encoding']?.trim().toLowerCase();
  if (coding === undefined || coding === '' || coding === 'identity') return body;
  const decode = Object.hasOwn(DECODERS, coding) ? DECODERS[coding] : undefined;
  if (decode === undefined) {
    throw new ApiError('unknownEncoding', 'Content-Encoding must be gzip, deflate or br, or absent', {
      'Accept-Encoding': 'gzip, deflate, br',
    });
  }
  try {
    return decode(body, { maxOutputLength: maxBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw bodyTooLarge(maxBytes);
    throw new ApiError('invalidInput', `body is not what its Content-Encoding says: ${coding}`);
  }
}

/** RFC 9110 wants one, some clients send the bare stream. */
function hasZlibHeader(body: Buffer): boolean {
  return body.length >= 2 && (body[0]! & 0x0f) === 8 && body.readUInt16BE(0) % 31 === 0;
}

/** Whether the caller takes an answer in gzip; a weight of 0 says that it does not. */
export function acceptsGzip({ headers }: IncomingMessage): boolean {
  return /\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/.test(headers['accept-encoding']?.toString() ?? '');
}
