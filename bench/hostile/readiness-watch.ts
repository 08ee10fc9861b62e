/** What replicas say of each other and of themselves while they are watched. */
import type { ReplicaProcess } from '../../test/support/replica-process';
import { until } from '../../test/support/until';

const LOOK_EVERY_MS = 1_000;
/** Node's histogram counts from one look to the next: an event loop that is never held shows this much. */
const HISTOGRAM_MS = 10;

export interface Seen {
  /** Looks that saw a peer in another state than ready. */
  readonly otherStates: number;
  readonly statusKib: number;
  readonly lagMaxMs: number;
}

export class ReadinessWatch {
  private otherStates = 0;
  private statusBytes = 0;
  private readonly lagsS: number[] = [];
  private looking: Promise<void> = Promise.resolve();
  private readonly timer: NodeJS.Timeout;

  constructor(private readonly members: readonly ReplicaProcess[]) {
    this.timer = setInterval(() => {
      this.looking = this.looking.then(() => this.look()).catch(() => undefined);
    }, LOOK_EVERY_MS);
  }

  async allReady(): Promise<void> {
    for (const { url } of this.members) {
      await until(
        async () => (await peersOf(url)).filter((it) => it === 'ready').length === this.members.length - 1,
        {
          describe: 'the replicas know each other',
        },
      );
      // The metric begins anew with each answer.
      await text(`${url}/metrics`);
    }
    this.otherStates = 0;
    this.lagsS.length = 0;
  }

  async end(): Promise<Seen> {
    clearInterval(this.timer);
    await this.looking;
    await this.look();
    return {
      otherStates: this.otherStates,
      statusKib: this.statusBytes / 1024,
      lagMaxMs: Math.max(...this.lagsS) * 1000 - HISTOGRAM_MS,
    };
  }

  private async look(): Promise<void> {
    for (const { url } of this.members) {
      if ((await peersOf(url)).some((state) => state !== 'ready')) this.otherStates++;
      this.statusBytes = Math.max(this.statusBytes, (await text(`${url}/v1/replica/status`)).length);
      const metrics = await text(`${url}/metrics`);
      this.lagsS.push(Number(/^nodejs_eventloop_lag_max_seconds (\S+)$/m.exec(metrics)?.[1]));
    }
  }
}

async function text(url: string): Promise<string> {
  return (await fetch(url)).text();
}

async function peersOf(url: string): Promise<string[]> {
  const { data } = JSON.parse(await text(`${url}/readyz`)) as { data: { peers: Record<string, string> } };
  return Object.values(data.peers);
}
