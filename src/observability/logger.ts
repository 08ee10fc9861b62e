/**
 * The log: JSON lines, one event each, as log collectors want them. Where they go is the caller's choice, so that
 * a test can read them.
 */
import { pino, type DestinationStream, type Logger } from 'pino';

export type { Logger };

/** Each line names `replica`. The level can be changed at any time through `logger.level`. */
export function createLogger(level: string, replica: string, destination: DestinationStream): Logger {
  return pino(
    {
      level,
      base: { replica },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) => withoutSecrets(fields, 0),
      },
    },
    destination,
  );
}

/** Fields whose values are never written, in lower case. */
const SECRET_FIELDS = new Set([
  'authorization',
  'cookie',
  'token',
  'tokens',
  'peertoken',
  'pass',
  'password',
  'nkeyseed',
  'credentials',
]);

const MAX_DEPTH = 5;

/** pino's own redaction of nested fields costs 10 µs a line, ten times the line itself. */
function withoutSecrets<T extends object>(fields: T, depth: number): T {
  let copy: T | undefined;
  for (const [name, value] of Object.entries(fields) as [keyof T & string, T[keyof T & string]][]) {
    const shown = SECRET_FIELDS.has(name.toLowerCase()) ? '[redacted]' : shownValue(value, depth + 1);
    if (shown !== value) {
      copy ??= (Array.isArray(fields) ? [...(fields as unknown[])] : { ...fields }) as T;
      copy[name] = shown as T[keyof T & string];
    }
  }
  return copy ?? fields;
}

function shownValue(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Error) return value;
  return depth > MAX_DEPTH ? '[too deep]' : withoutSecrets(value, depth);
}
