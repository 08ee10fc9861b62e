/**
 * The client of the gateway in use, as it behaves by default: a replica is chosen by a fixed hash of the call's key, among those whose
 * breaker is closed, and the next one is tried once. Reports go through a queue to 100 workers, so that those of one request may
 * overtake each other. Any answer but 200 is a failure of the replica, as is none within 100 ms.
 */
import { Breaker } from './breaker';
import { bytesOf, type Call } from './calls';
import { type Answer, Connection } from './connection';

const TIMEOUT_MS = 100;
const WORKERS = 100;
const QUEUED = 1_000;
const ATTEMPTS = 2;

export class Gateway {
  /** What replicas answered that was not 200. */
  readonly refused: string[] = [];
  /** Calls that no replica has answered. */
  readonly lost: string[] = [];
  /** Attempts that failed, each of them at the cost of another one. */
  failures = 0;
  calls = 0;
  private readonly breakers: ReadonlyMap<string, Breaker>;
  private readonly idle = new Map<string, Connection[]>();
  private readonly open = new Set<Connection>();
  private readonly queue: (() => void)[] = [];
  private busyWorkers = 0;

  constructor(
    hosts: readonly string[],
    private readonly port: number,
    /** How long the machine has kept this process and the replica waiting. */
    private readonly heldUpMs: (host: string) => number,
  ) {
    this.breakers = new Map([...hosts].sort().map((host) => [host, new Breaker()]));
  }

  breaker(host: string): Breaker {
    return this.breakers.get(host)!;
  }

  /** The replica that calls of this key go to while all is well. */
  hostOf(key: string): string {
    return hostsFor(key, [...this.breakers.keys()])[0]!;
  }

  /** Answers what the replica's body holds as `data`; undefined where none has answered. */
  async ask(call: Call): Promise<unknown> {
    this.calls++;
    const now = performance.now();
    const available = [...this.breakers].flatMap(([host, breaker]) => (breaker.allows(now) ? [host] : []));
    for (const host of hostsFor(call.key, available).slice(0, ATTEMPTS)) {
      const answer = await this.attempt(host, call);
      if (answer) return (JSON.parse(answer.body) as { data: unknown }).data;
    }
    this.lost.push(`${call.method} ${call.path} ${call.body ?? ''}`);
    return undefined;
  }

  /** Resolves when a worker has done it. */
  report(call: Call): Promise<void> {
    return new Promise((resolve) => {
      const work = (): void => {
        this.busyWorkers++;
        void this.ask(call).then(() => {
          this.busyWorkers--;
          this.queue.shift()?.();
          resolve();
        });
      };
      if (this.busyWorkers < WORKERS) work();
      else if (this.queue.length < QUEUED) this.queue.push(work);
      else {
        this.lost.push(`the queue is full: ${call.method} ${call.path}`);
        resolve();
      }
    });
  }

  close(): void {
    for (const connection of this.open) connection.close();
  }

  private async attempt(host: string, call: Call): Promise<Answer | undefined> {
    const breaker = this.breaker(host);
    const connection = this.connectionTo(host);
    const answer = await connection.request(bytesOf(call, host, this.port), TIMEOUT_MS, () =>
      this.heldUpMs(host),
    );
    if (answer) this.idle.get(host)!.push(connection);
    else this.open.delete(connection);
    if (answer?.status === 200) {
      breaker.succeeded();
      return answer;
    }
    if (answer)
      this.refused.push(`${call.method} ${call.path} ${call.body ?? ''}: ${answer.status} ${answer.body}`);
    breaker.failed(performance.now());
    this.failures++;
    return undefined;
  }

  private connectionTo(host: string): Connection {
    let idle = this.idle.get(host);
    if (!idle) this.idle.set(host, (idle = []));
    for (let connection = idle.pop(); connection; connection = idle.pop()) {
      if (connection.usable) return connection;
      this.open.delete(connection);
    }
    const connection = new Connection(host, this.port);
    this.open.add(connection);
    return connection;
  }
}

/** All of them, the first choice first. */
function hostsFor(key: string, hosts: readonly string[]): string[] {
  const first = fnv1a(key) % hosts.length;
  return hosts.map((_host, i) => hosts[(first + i) % hosts.length]!);
}

/** 32 bits. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}
