/** Reads answers. Pure. */
import { Codes, MetadataCenterError, NoEngineError } from './errors';

export type Answer =
  | { readonly kind: 'data'; readonly data: unknown }
  | { readonly kind: 'error'; readonly error: MetadataCenterError };

/** Whatever stands between may answer too, in whatever form. */
export function readAnswer(status: number, text: string): Answer {
  let envelope: unknown;
  try {
    envelope = JSON.parse(text);
  } catch {
    envelope = undefined;
  }
  const {
    data,
    error,
    trace_id: traceId,
  } = (envelope ?? {}) as {
    data?: unknown;
    error?: { code?: unknown; reason?: unknown } | null;
    trace_id?: unknown;
  };
  const trace = typeof traceId === 'string' ? traceId : undefined;
  if (status === 200 && error === null) return { kind: 'data', data };
  const code = typeof error?.code === 'number' ? error.code : 0;
  const reason = typeof error?.reason === 'string' ? error.reason : `answered ${status} without a reason`;
  const Kind = code === Codes.noEngine ? NoEngineError : MetadataCenterError;
  return { kind: 'error', error: new Kind(code, status, reason, trace) };
}

/** Whether the same bytes may be sent to the next replica: this one did not work on them, or its work may be lost. */
export function isRetriable({ status }: MetadataCenterError): boolean {
  return status === 0 || status === 408 || status >= 500;
}

/** Whether the replica may have done what it was asked all the same. */
export function mayHaveHappened({ status, code }: MetadataCenterError): boolean {
  return status === 0 || (status >= 500 && code !== Codes.unavailable);
}

/** An error that says, of a copy, that an earlier one has arrived. */
export function saysItArrived(code: number): boolean {
  return code === Codes.duplicate || code === Codes.alreadyDeleted;
}
