/** Reads `cluster` out of a request's query string: exactly once, percent-decoded, checked like the body's. */
import { DtoValidator } from './dto/dto-validator';
import { isSurelyLoadQuery, LoadQueryDto } from './dto/load-query.dto';
import { ApiError } from './errors';

const query = new DtoValidator(LoadQueryDto, isSurelyLoadQuery);

export function clusterOf(url: string): string {
  const questionMark = url.indexOf('?');
  const pairs = questionMark === -1 ? [] : url.slice(questionMark + 1).split('&');
  const clusters: string[] = [];
  for (const pair of pairs) {
    const equals = pair.indexOf('=');
    const name = equals === -1 ? pair : pair.slice(0, equals);
    if (decode(name) === 'cluster') clusters.push(equals === -1 ? '' : pair.slice(equals + 1));
  }
  if (clusters.length > 1) throw new ApiError('invalidInput', 'cluster must be given only once');
  const [encoded] = clusters;
  const cluster = encoded === undefined ? undefined : decode(encoded);
  if (cluster === null) throw new ApiError('invalidInput', 'cluster must be percent-encoded UTF-8');
  return query.check({ cluster }).cluster;
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
