/** Reads parameters out of a request's query string: each at most once, percent-decoded. */
import { ApiError } from './errors';

/** The value of a parameter that may be given once, decoded; undefined where it is not given. */
export function queryValue(url: string, wanted: string): string | undefined {
  const questionMark = url.indexOf('?');
  const pairs = questionMark === -1 ? [] : url.slice(questionMark + 1).split('&');
  const values: string[] = [];
  for (const pair of pairs) {
    const equals = pair.indexOf('=');
    const name = equals === -1 ? pair : pair.slice(0, equals);
    if (decode(name) === wanted) values.push(equals === -1 ? '' : pair.slice(equals + 1));
  }
  if (values.length > 1) throw new ApiError('invalidInput', `${wanted} must be given only once`);
  const [encoded] = values;
  const value = encoded === undefined ? undefined : decode(encoded);
  if (value === null) throw new ApiError('invalidInput', `${wanted} must be percent-encoded UTF-8`);
  return value;
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
