/**
 * Every error that a caller can be answered with: the one table of code, HTTP status and message. A row of it
 * plus a reason in words is an `ApiError`, which any handler may throw.
 */

export interface ErrorKind {
  /** The number that gateways switch on. */
  readonly code: number;
  readonly status: number;
  readonly message: string;
}

export const errorKinds = {
  duplicate: { code: 40001000, status: 400, message: 'Data duplicate' },
  invalidInput: { code: 40001400, status: 400, message: 'Invalid input parameters' },
  alreadyDeleted: { code: 40001404, status: 404, message: 'Resource already deleted' },
  authenticationFailed: { code: 40101001, status: 401, message: 'Authentication failed' },
  crossSite: { code: 40301000, status: 403, message: 'Cross-site request refused' },
  routeNotFound: { code: 40401000, status: 404, message: 'Route not found' },
  requestNotFound: { code: 40401001, status: 404, message: 'Request not found' },
  methodNotAllowed: { code: 40501000, status: 405, message: 'Method not allowed' },
  requestTimeout: { code: 40801000, status: 408, message: 'Request timeout' },
  otherDeployment: { code: 40901000, status: 409, message: 'Other deployment' },
  bodyTooLarge: { code: 41301000, status: 413, message: 'Request body too large' },
  unknownEncoding: { code: 41501000, status: 415, message: 'Unsupported content encoding' },
  noEngine: { code: 42901000, status: 429, message: 'No engine available' },
  headersTooLarge: { code: 43101000, status: 431, message: 'Request header fields too large' },
  internal: { code: 50001000, status: 500, message: 'Internal server error' },
  unavailable: { code: 50301000, status: 503, message: 'Service unavailable' },
} as const satisfies Record<string, ErrorKind>;

export type ErrorName = keyof typeof errorKinds;

/** An error that is meant for the caller: `reason` is answered as it is, so it must not hold anything secret. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly kind: ErrorKind;

  constructor(
    errorName: ErrorName,
    readonly reason: string,
    /** Headers that this answer needs beside the usual ones, such as `Allow`. */
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(reason);
    this.kind = errorKinds[errorName];
  }
}

/** What the caller is told about `error`. Of an error that nobody meant for the caller nothing is told. */
export function toApiError(error: unknown): ApiError {
  return error instanceof ApiError
    ? error
    : new ApiError('internal', 'the error was logged under this trace_id');
}
