/** Server-sent events as bytes: made once, sent to everyone who is to have them. */

/** `dataJson` must hold no line break, as JSON text made without indentation does not. */
export function eventOf(name: string, id: string, dataJson: string): Buffer {
  return Buffer.from(`event: ${name}\nid: ${id}\ndata: ${dataJson}\n\n`);
}

/** A comment: readers ignore it, but see that the connection lives. */
export const keepAlive = Buffer.from(': heartbeat\n\n');

/** How long a reader should wait before it connects again. */
export function retryAfter(ms: number): Buffer {
  return Buffer.from(`retry: ${ms}\n\n`);
}
