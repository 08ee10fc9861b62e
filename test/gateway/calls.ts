/** The six calls of the gateway in use, byte for byte: HTTP/1.1, no Content-Type, an empty TraceId, fields in its order. */

export interface Call {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly body?: string;
  /** What its replica is chosen by: the cluster. The deletes name none, so those of all clusters go to one replica. */
  readonly key: string;
}

/** Null where the prompt is empty. */
export type PromptHash = readonly bigint[] | null;

const TOPK = 10;

export const queryCache = (cluster: string, promptHash: PromptHash): Call => ({
  method: 'POST',
  path: '/v1/cache/query',
  body: `{"cluster":"${cluster}","prompt_hash":${listOf(promptHash)},"topk":${TOPK}}`,
  key: cluster,
});

export const queryLoad = (cluster: string): Call => ({
  method: 'GET',
  path: `/v1/load/stats?cluster=${cluster}`,
  key: cluster,
});

/** `timestamp`: nanoseconds, with all digits. */
export const addRequest = (
  id: string,
  cluster: string,
  promptLength: number,
  ip: string,
  timestamp: bigint,
): Call => ({
  method: 'POST',
  path: '/v1/load/stats',
  body: `{"request_id":"${id}","cluster":"${cluster}","prompt_length":${promptLength},"ip":"${ip}","timestamp":${timestamp}}`,
  key: cluster,
});

export const saveCache = (cluster: string, promptHash: PromptHash, ip: string): Call => ({
  method: 'POST',
  path: '/v1/cache/save',
  body: `{"cluster":"${cluster}","prompt_hash":${listOf(promptHash)},"ip":"${ip}"}`,
  key: cluster,
});

export const deletePrompt = (id: string): Call => deleteOf('/v1/load/prompt', id);
export const deleteRequest = (id: string): Call => deleteOf('/v1/load/stats', id);

export function bytesOf({ method, path, body }: Call, host: string, port: number): string {
  const length = body === undefined ? '' : `Content-Length: ${body.length}\r\n`;
  return (
    `${method} ${path} HTTP/1.1\r\nHost: ${host}:${port}\r\nUser-Agent: Go-http-client/1.1\r\n${length}` +
    `TraceId: \r\nAccept-Encoding: gzip\r\n\r\n${body ?? ''}`
  );
}

function deleteOf(path: string, id: string): Call {
  return { method: 'DELETE', path, body: `{"request_id":"${id}","cluster":"","ip":""}`, key: '' };
}

function listOf(promptHash: PromptHash): string {
  return promptHash === null ? 'null' : `[${promptHash.join(',')}]`;
}
