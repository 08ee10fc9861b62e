/**
 * How a gateway talks to the replicas: to each in turn, so that the reports of one request go to different ones, and to the
 * next at once when one does not answer.
 */
import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

const ANSWER_WITHIN_MS = 500;
const ROUND_PAUSE_MS = 50;
/** Codes that say that an earlier copy of the same report has arrived. */
const ALREADY_DONE = new Set([40001000, 40001404]);

export interface Row {
  readonly ip: string;
  readonly queued_req_num: number;
  readonly prompt_length: number;
}

interface Envelope {
  readonly error: { readonly code: number; readonly message: string } | null;
  readonly data: unknown;
}

export class ReplicaClient {
  /** Calls that had to go to another replica. */
  failovers = 0;
  private readonly agent = new Agent({ keepAlive: true });
  private open = 0;

  constructor(
    private readonly urls: readonly string[],
    private turn: number,
  ) {}

  get pending(): number {
    return this.open;
  }

  async rows(cluster: string): Promise<readonly Row[]> {
    return (await this.call('GET', `/v1/load/stats?cluster=${cluster}`)) as Row[];
  }

  /** Does not give up: a report that never arrives would be a request that never ends. */
  async report(method: 'POST' | 'DELETE', path: string, body: object): Promise<void> {
    await this.call(method, path, JSON.stringify(body));
  }

  /** The engine that a replica has chosen; undefined where no answer came, or it did not choose. Asks once. */
  async select(body: object): Promise<string | undefined> {
    this.open++;
    try {
      const url = this.urls[this.turn++ % this.urls.length]!;
      const selected = await this.ask(url, 'POST', '/v1/load/select', JSON.stringify(body));
      return (selected as { ip: string }).ip;
    } catch (error) {
      if (error instanceof Refused) throw error;
      this.failovers++;
      await delay(1);
      return undefined;
    } finally {
      this.open--;
    }
  }

  close(): void {
    this.agent.destroy();
  }

  private async call(method: string, path: string, body?: string): Promise<unknown> {
    this.open++;
    let at = this.turn++;
    try {
      for (let attempt = 1; ; attempt++) {
        try {
          return await this.ask(this.urls[at % this.urls.length]!, method, path, body);
        } catch (error) {
          if (error instanceof Refused) throw error;
          at++;
          this.failovers++;
          if (attempt % this.urls.length === 0) await delay(ROUND_PAUSE_MS);
        }
      }
    } finally {
      this.open--;
    }
  }

  private ask(url: string, method: string, path: string, body: string | undefined): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const headers = body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) };
      const sent = request(
        url + path,
        { method, agent: this.agent, headers, timeout: ANSWER_WITHIN_MS },
        (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
          response.on('error', reject);
          response.on('end', () => {
            const { error, data } = JSON.parse(text) as Envelope;
            if (error === null || ALREADY_DONE.has(error.code)) resolve(data);
            else if (response.statusCode === 503) reject(new Error(error.message));
            else reject(new Refused(`${method} ${path}: ${text}`));
          });
        },
      );
      sent.on('timeout', () => sent.destroy(new Error('no answer in time')));
      sent.on('error', reject);
      sent.end(body);
    });
  }
}

/** What no replica would answer differently: a defect of the demo or of the service. */
export class Refused extends Error {}
