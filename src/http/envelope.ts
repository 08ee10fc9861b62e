/**
 * The envelope around every JSON answer. Written by hand because `data` arrives as finished JSON text: rows are
 * serialised once, not once more for the envelope.
 */
import type { ApiError } from './errors';

export function okEnvelope(dataJson: string, traceId: string): string {
  return `{"status":"OK","error":null,"data":${dataJson},"trace_id":${quoted(traceId)}}`;
}

export function errorEnvelope(error: ApiError, traceId: string, dataJson = 'null'): string {
  const { code, message } = error.kind;
  const errorJson = JSON.stringify({ code, message, reason: error.reason });
  return `{"status":"ERROR","error":${errorJson},"data":${dataJson},"trace_id":${quoted(traceId)}}`;
}

/** Of visible ASCII only two characters need an escape. */
function quoted(traceId: string): string {
  return traceId.includes('"') || traceId.includes('\\') ? JSON.stringify(traceId) : `"${traceId}"`;
}
