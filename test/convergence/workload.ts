/**
 * Gateways as they are: each request is added, prefilled and finished by reports that may go to different replicas, and
 * a report that fails is sent again to the next one, with the same `timestamp`. Keeps the recount that every replica
 * must equal.
 */
import { Agent, request } from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../support/until';

interface Live {
  readonly id: string;
  readonly cluster: string;
  readonly ip: string;
  readonly prompt: number;
  promptDeleted: boolean;
}

export interface Row {
  readonly ip: string;
  readonly queued_req_num: number;
  readonly prompt_length: number;
}

const CLUSTERS = ['llama', 'qwen', 'mixtral'];
const ENGINES = 5;
const MAX_BATCH = 512;

export class Workload {
  /** Statuses that no gateway should have got. */
  readonly refused: string[] = [];
  readonly live = new Map<string, Live>();
  /** Reports that a replica has taken, each once however often it was sent. */
  reports = 0;
  /** Sent with every report and query. */
  headers: Readonly<Record<string, string>> = {};
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 64 });
  private readonly tlsAgent: TlsAgent;
  private count = 0;
  private running = false;
  private closed = false;
  private lanes: Promise<void>[] = [];
  private readonly failures: unknown[] = [];

  constructor(
    private readonly random: () => number,
    /** Where reports may go now; a test changes it with what it breaks. */
    public targets: readonly string[],
    /** Where the targets speak TLS. */
    tls: { readonly ca?: string; readonly servername?: string } = {},
  ) {
    this.tlsAgent = new TlsAgent({ keepAlive: true, maxSockets: 64, ...tls });
  }

  /** Runs `lanes` request lives side by side until `stop`. */
  start(lanes: number): void {
    this.running = true;
    this.lanes = Array.from({ length: lanes }, () =>
      this.lane().catch((error: unknown) => void this.failures.push(error)),
    );
  }

  /** Resolves when so many more reports were taken. */
  async more(count: number, describe = 'load goes on'): Promise<void> {
    const before = this.reports;
    await until(() => this.reports > before + count, { describe });
  }

  /** Resolves when every lane has ended; throws what one of them failed with. */
  async stop(): Promise<void> {
    this.running = false;
    await Promise.all(this.lanes);
    if (this.failures.length > 0) throw this.failures[0];
  }

  /** For clean-up: ends whatever still runs, a test that has timed out included. */
  async close(): Promise<void> {
    this.closed = true;
    this.running = false;
    this.agent.destroy();
    this.tlsAgent.destroy();
    await Promise.all(this.lanes);
  }

  /** Adds so many requests, in batches. */
  async addMany(count: number): Promise<readonly Live[]> {
    const lives = Array.from({ length: count }, () => this.newLive());
    await this.batches(lives.map((live) => `{"op":"add",${membersOf(live)}}`));
    for (const live of lives) this.live.set(live.id, live);
    return lives;
  }

  async prefillMany(lives: readonly Live[]): Promise<void> {
    await this.batches(lives.map(({ id }) => `{"op":"prompt-delete","request_id":"${id}"}`));
    for (const live of lives) live.promptDeleted = true;
  }

  async finishMany(lives: readonly Live[]): Promise<void> {
    await this.batches(lives.map(({ id }) => `{"op":"delete","request_id":"${id}"}`));
    for (const { id } of lives) this.live.delete(id);
  }

  async add(): Promise<Live> {
    const live = this.newLive();
    await this.resend(live);
    this.live.set(live.id, live);
    return live;
  }

  /** Reports the add of a request, the same each time. */
  async resend(live: Live): Promise<void> {
    await this.report('POST', '/v1/load/stats', `{${membersOf(live)}}`);
  }

  private newLive(): Live {
    const n = this.count++;
    return {
      id: `request-${n}`,
      cluster: CLUSTERS[Math.floor(this.random() * CLUSTERS.length)]!,
      ip: `10.0.0.${1 + Math.floor(this.random() * ENGINES)}`,
      prompt: Math.floor(this.random() * 4000),
      promptDeleted: false,
    };
  }

  async prefill(live: Live): Promise<void> {
    await this.report('DELETE', '/v1/load/prompt', `{"request_id":"${live.id}","cluster":"","ip":""}`);
    live.promptDeleted = true;
  }

  async finish(live: Live): Promise<void> {
    await this.report('DELETE', '/v1/load/stats', `{"request_id":"${live.id}","cluster":"","ip":""}`);
    this.live.delete(live.id);
  }

  /** Waits until every replica's rows equal the recount; answers after how many milliseconds. */
  async converged(urls: readonly string[], withinMs: number): Promise<number> {
    const started = Date.now();
    let difference = '';
    await until(
      async () => {
        for (const url of urls) {
          difference = await this.differenceAt(url);
          if (difference !== '') return false;
        }
        return true;
      },
      {
        timeoutMs: withinMs,
        intervalMs: 25,
        describe: () => `all replicas equal the recount: ${difference}`,
      },
    );
    return Date.now() - started;
  }

  /** Empty when the replica's rows equal the recount. */
  async differenceAt(url: string): Promise<string> {
    for (const cluster of CLUSTERS) {
      const { status, body } = await this.call(`${url}/v1/load/stats?cluster=${cluster}`, 'GET');
      if (status !== 200) return `${url} answered ${status}`;
      const actual = (JSON.parse(body) as { data: Row[] }).data
        .filter((row) => row.queued_req_num !== 0 || row.prompt_length !== 0)
        .map((row) => `${row.ip} ${row.queued_req_num} ${row.prompt_length}`)
        .join(', ');
      const expected = this.recount(cluster);
      if (actual !== expected) return `${url} ${cluster}: has [${actual}], should be [${expected}]`;
    }
    return '';
  }

  private recount(cluster: string): string {
    const rows = new Map<string, { queued: number; prompt: number }>();
    for (const live of this.live.values()) {
      if (live.cluster !== cluster) continue;
      const row = rows.get(live.ip) ?? { queued: 0, prompt: 0 };
      row.queued++;
      if (!live.promptDeleted) row.prompt += live.prompt;
      rows.set(live.ip, row);
    }
    const sorted = [...rows].sort(([a], [b]) => a.localeCompare(b, undefined, { numeric: true }));
    return sorted.map(([ip, { queued, prompt }]) => `${ip} ${queued} ${prompt}`).join(', ');
  }

  private async lane(): Promise<void> {
    while (this.running) {
      const live = await this.add();
      await delay(this.random() * 30);
      if (this.random() < 0.8) await this.prefill(live);
      await delay(this.random() * 30);
      if (this.random() < 0.9) await this.finish(live);
    }
  }

  private async batches(events: readonly string[]): Promise<void> {
    for (let at = 0; at < events.length; at += MAX_BATCH) {
      const batch = events.slice(at, at + MAX_BATCH);
      await this.report('POST', '/v1/load/batch', `{"events":[${batch.join()}]}`, batch.length);
    }
  }

  /** Sends a report to a random replica, and again to the next one until one has taken it. */
  private async report(method: string, path: string, body: string, reports = 1): Promise<void> {
    let turn = Math.floor(this.random() * this.targets.length);
    for (let attempt = 1; ; attempt++) {
      if (this.closed) throw new Error('the workload is closed');
      const target = this.targets[turn++ % this.targets.length]!;
      let status = 0;
      let answer = '';
      try {
        ({ status, body: answer } = await this.call(target + path, method, body));
      } catch {
        // Killed, cut or slow: the next one.
      }
      // A replica that died may have taken the report, and told the others, before it could answer.
      if (status === 200 || (attempt > 1 && /4000(1404|1000)/.test(answer))) {
        this.reports += reports;
        if (reports > 1 && !answer.includes('"failed":[]')) this.refused.push(answer);
        return;
      }
      if (status !== 0) this.refused.push(`${method} ${path} ${body} at ${target}: ${answer}`);
      if (attempt > 50) throw new Error(`nobody takes ${method} ${path} ${body}`);
      if (attempt > 3) await delay(100);
    }
  }

  private call(url: string, method: string, body?: string): Promise<{ status: number; body: string }> {
    return new Promise((resolve, reject) => {
      const length = body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) };
      const secure = url.startsWith('https:');
      const options = {
        method,
        headers: { ...this.headers, ...length },
        agent: secure ? this.tlsAgent : this.agent,
        timeout: 2_000,
      };
      const outgoing = (secure ? tlsRequest : request)(url, options, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }));
        response.on('error', reject);
      });
      outgoing.on('timeout', () => outgoing.destroy(new Error('timeout')));
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }
}

/** Of the report of its add. */
function membersOf({ id, cluster, ip, prompt }: Live): string {
  const timestamp = `17322222221234${id.replace('request-', '').padStart(5, '0')}`;
  return `"cluster":"${cluster}","request_id":"${id}","prompt_length":${prompt},"ip":"${ip}","timestamp":${timestamp}`;
}
