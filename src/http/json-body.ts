/** The step from a body's bytes to a JSON object, whatever the Content-Type says: the gateway in use sends none. */
import { isUtf8 } from 'node:buffer';
import { ApiError } from './errors';

export interface JsonBody {
  /** Kept beside the parsed form, which has lost repeated members and the last digits of large integers. */
  readonly text: string;
  readonly members: Record<string, unknown>;
}

export function parseJsonBody(bytes: Buffer): JsonBody {
  if (bytes.length === 0) throw new ApiError('invalidInput', 'body is empty and must be a JSON object');
  if (!isUtf8(bytes)) throw new ApiError('invalidInput', 'body must be UTF-8 text');
  const text = bytes.toString('utf8');
  const value = parse(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ApiError('invalidInput', 'body must be a JSON object');
  }
  return { text, members: value as Record<string, unknown> };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ApiError('invalidInput', 'body must be a JSON object and is not valid JSON');
  }
}
