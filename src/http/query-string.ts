/** The one reader of a request's query string. */
import { ApiError } from './errors';

/** Every value of a parameter, percent-decoded, in their order. Throws an `ApiError` where one is no percent-encoded UTF-8. */
export function queryValues(url: string, wanted: string): string[] {
  const questionMark = url.indexOf('?');
  const pairs = questionMark === -1 ? [] : url.slice(questionMark + 1).split('&');
  const values: string[] = [];
  for (const pair of pairs) {
    const equals = pair.indexOf('=');
    if (decode(equals === -1 ? pair : pair.slice(0, equals)) !== wanted) continue;
    const value = equals === -1 ? '' : decode(pair.slice(equals + 1));
    if (value === null) throw new ApiError('invalidInput', `${wanted} must be percent-encoded UTF-8`);
    values.push(value);
  }
  return values;
}

/** The value of a parameter that may be given once; undefined where it is not given. */
export function queryValue(url: string, wanted: string): string | undefined {
  const values = queryValues(url, wanted);
  if (values.length > 1) throw new ApiError('invalidInput', `${wanted} must be given only once`);
  return values[0];
}

/** Null for what is no percent-encoded UTF-8. */
function decode(encoded: string): string | null {
  const withSpaces = encoded.includes('+') ? encoded.replaceAll('+', ' ') : encoded;
  if (!withSpaces.includes('%')) return withSpaces;
  try {
    return decodeURIComponent(withSpaces);
  } catch {
    return null;
  }
}
