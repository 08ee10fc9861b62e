/** The requests that gateways send, as text ready for the socket. Everything in them is ASCII. */

export const CLUSTER = 'engines-16';

/** As long as the ids that gateways make. */
export function requestId(number: number): string {
  return `5f1c9a70-0000-4000-8000-${number.toString(16).padStart(12, '0')}`;
}

export function addRequest(number: number, cluster = CLUSTER, engines = 16): string {
  return withBody('POST', '/v1/load/stats', addBody(number, cluster, engines));
}

/** The lives of `lives` requests, from `first` on, in one body: all adds, then all prompt-deletes, then all deletes. */
export function batchRequest(first: number, lives: number): string {
  const numbers = Array.from({ length: lives }, (_, i) => first + i);
  const ops = (op: string, bodyOf: (number: number) => string): string[] =>
    numbers.map((number) => `{"op":"${op}",${bodyOf(number).slice(1)}`);
  const events = [...ops('add', addBody), ...ops('prompt-delete', deleteBody), ...ops('delete', deleteBody)];
  return withBody('POST', '/v1/load/batch', `{"events":[${events.join()}]}`);
}

/** Among the rows of the cluster, or among so many engines that are named. */
export function selectRequest(number: number, cluster = CLUSTER, named = 0): string {
  const engines = Array.from({ length: named }, (_, i) => `"${engineOf(i)}"`);
  return withBody(
    'POST',
    '/v1/load/select',
    `{"cluster":"${cluster}","request_id":"${requestId(number)}","prompt_length":${promptLengthOf(number)},${named > 0 ? `"candidates":[${engines.join()}],` : ''}"timestamp":${1_700_000_000_000_000 + number}000}`,
  );
}

export function promptDeleteRequest(number: number): string {
  return withBody('DELETE', '/v1/load/prompt', deleteBody(number));
}

export function deleteRequest(number: number): string {
  return withBody('DELETE', '/v1/load/stats', deleteBody(number));
}

/** An engine's cache holds a prompt of so many chunks, all of them unknown before; save number `number`. */
export function cacheSaveRequest(number: number, chunks: number): string {
  const hashes = Array.from({ length: chunks }, (_, i) => promptHash(number * chunks + i));
  return withBody(
    'POST',
    '/v1/cache/save',
    `{"cluster":"${CLUSTER}","prompt_hash":[${hashes.join(',')}],"ip":"${engineOf(number % 16)}"}`,
  );
}

/** A prompt too short for a chunk: the request of a save, and nothing to be saved. */
export function emptyCacheSaveRequest(number: number): string {
  return withBody(
    'POST',
    '/v1/cache/save',
    `{"cluster":"${CLUSTER}","prompt_hash":null,"ip":"${engineOf(number % 16)}"}`,
  );
}

/** A hash of 64 bits, mostly beyond what a number holds; another one for each number. */
export function promptHash(number: number): bigint {
  return BigInt.asUintN(64, BigInt(number + 1) * 0x9e3779b97f4a7c15n);
}

export function queryPath(cluster = CLUSTER): string {
  return `/v1/load/stats?cluster=${cluster}`;
}

export function queryRequest(cluster = CLUSTER): string {
  return `GET ${queryPath(cluster)} HTTP/1.1\r\n${HEADERS}\r\n`;
}

export function promptLengthOf(number: number): number {
  return 512 + (number % 400);
}

export function engineOf(index: number): string {
  return `10.0.${index >> 8}.${index & 255}`;
}

const HEADERS = 'Host: metadata-center:8080\r\nUser-Agent: Go-http-client/1.1\r\nAccept-Encoding: gzip\r\n';

function addBody(number: number, cluster = CLUSTER, engines = 16): string {
  return `{"cluster":"${cluster}","request_id":"${requestId(number)}","prompt_length":${promptLengthOf(number)},"ip":"${engineOf(number % engines)}","timestamp":${1_700_000_000_000_000 + number}000}`;
}

function deleteBody(number: number): string {
  return `{"cluster":"","request_id":"${requestId(number)}","prompt_length":0,"ip":""}`;
}

function withBody(method: string, path: string, body: string): string {
  return `${method} ${path} HTTP/1.1\r\n${HEADERS}Content-Length: ${body.length}\r\n\r\n${body}`;
}
