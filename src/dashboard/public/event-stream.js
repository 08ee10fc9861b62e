/**
 * Reads a stream of server-sent events by fetch, which can send a token as EventSource cannot, and comes back to it
 * whenever it ends. A connection that says nothing for too long counts as ended.
 */
const RETRY_MS = [300, 1_000, 2_000];

export class EventStream {
  /**
   * `onState` hears 'live' at the first event, 'lost' with a reason whenever there is no stream, 'denied' when a token is
   * asked for (it then waits for the next `start`).
   */
  constructor(url, { headers, silentMs, onEvent, onState }) {
    this.url = url;
    this.headers = headers;
    this.silentMs = silentMs;
    this.onEvent = onEvent;
    this.onState = onState;
    this.attempts = 0;
  }

  start() {
    this.stop();
    const abort = new AbortController();
    this.abort = abort;
    this.run(abort);
  }

  stop() {
    clearTimeout(this.retry);
    this.abort?.abort();
    this.abort = undefined;
  }

  async run(abort) {
    let reason = 'the stream ended';
    try {
      const response = await this.guarded(
        abort,
        fetch(this.url, { headers: this.headers(), signal: abort.signal, cache: 'no-store' }),
      );
      if (response.status === 401) {
        if (this.abort === abort) this.onState('denied');
        return;
      }
      if (!response.ok) throw new Error(await reasonOf(response));
      await this.read(abort, response.body.getReader());
    } catch (error) {
      reason = abort.silent ? 'it says nothing' : String(error?.message ?? error);
    }
    if (this.abort !== abort) return;
    this.onState('lost', reason);
    const waitMs = RETRY_MS[Math.min(this.attempts++, RETRY_MS.length - 1)];
    this.retry = setTimeout(() => this.start(), waitMs);
  }

  async read(abort, reader) {
    const decoder = new TextDecoder();
    let text = '';
    for (;;) {
      const { done, value } = await this.guarded(abort, reader.read());
      if (done) return;
      const blocks = (text + decoder.decode(value, { stream: true })).split('\n\n');
      text = blocks.pop();
      for (const block of blocks) {
        if (this.abort !== abort) return;
        this.take(block);
      }
    }
  }

  take(block) {
    let name = 'message';
    let data;
    for (const line of block.split('\n')) {
      if (line.startsWith('event: ')) name = line.slice(7);
      else if (line.startsWith('data: ')) data = line.slice(6);
    }
    if (data === undefined) return;
    this.attempts = 0;
    this.onState('live');
    this.onEvent(name, JSON.parse(data));
  }

  /** Gives up when `promise` takes too long: a replica that hangs looks like one that is gone. */
  async guarded(abort, promise) {
    const timer = setTimeout(() => {
      abort.silent = true;
      abort.abort();
    }, this.silentMs);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }
}

async function reasonOf(response) {
  try {
    return (await response.json()).error.reason;
  } catch {
    return `it answers ${response.status}`;
  }
}
