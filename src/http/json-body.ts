/** The step from a body's bytes to a JSON object, whatever the Content-Type says: the gateway in use sends none. */
import { JsonObject, type Unreadable } from '../wire/json-object';
import { ApiError } from './errors';

const REASONS: Readonly<Record<Unreadable, string>> = {
  'not-utf8': 'body must be UTF-8 text',
  'not-json': 'body must be a JSON object and is not valid JSON',
  'not-an-object': 'body must be a JSON object',
};

export function jsonBody(bytes: Buffer): JsonObject {
  if (bytes.length === 0) throw new ApiError('invalidInput', 'body is empty and must be a JSON object');
  const object = JsonObject.read(withoutByteOrderMark(bytes));
  if (typeof object === 'string') throw new ApiError('invalidInput', REASONS[object]);
  return object;
}

function withoutByteOrderMark(bytes: Buffer): Buffer {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes;
}
