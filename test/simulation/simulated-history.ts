/**
 * The bus's memory: what reached the server is kept there, and a process replays it as the plan decides. While the stream
 * fails, as JetStream does without quorum, nothing is kept and nothing can be had.
 */
import type { HistoryJob } from '../../src/history/history-plan';
import { HistoryPlan } from '../../src/history/history-plan';
import type { HistoryState } from '../../src/repair/joining';
import type { EventQueue } from './event-queue';
import type { Fact } from './oracle';
import { MS, SECOND } from './scenario';

interface Kept {
  readonly timeUs: number;
  readonly payload: Uint8Array;
  readonly fact: Fact;
}

export class SimulatedStream {
  failing = false;
  private readonly kept: Kept[] = [];

  constructor(
    private readonly queue: EventQueue,
    private readonly keepForUs: number,
  ) {}

  keep(payload: Uint8Array, fact: Fact): void {
    if (!this.failing) this.kept.push({ timeUs: this.queue.nowUs, payload, fact });
  }

  since(timeUs: number): Kept[] {
    const oldestUs = Math.max(timeUs, this.queue.nowUs - this.keepForUs);
    return this.kept.filter((each) => each.timeUs >= oldestUs);
  }
}

const ANSWER_US = 20 * MS;

export class SimulatedHistory {
  readonly plan = new HistoryPlan({
    checkEveryUs: 5 * SECOND,
    retryUs: SECOND / 2,
    retryMostUs: 2 * SECOND,
    patienceUs: SECOND,
    silenceUs: 5 * SECOND,
  });

  constructor(
    private readonly queue: EventQueue,
    private readonly stream: SimulatedStream,
    private readonly connected: () => boolean,
    private readonly run: (action: () => void) => void,
    private readonly receive: (payload: Uint8Array, fact: Fact) => void,
  ) {}

  get state(): HistoryState {
    return this.plan.state;
  }

  replay(sinceUs: number): boolean {
    return this.plan.request(sinceUs > 0 ? { timeUs: sinceUs } : 'start');
  }

  tick(): void {
    this.plan.busChanged(this.connected(), this.queue.nowUs);
    const job = this.plan.next(this.queue.nowUs);
    if (job) this.queue.after(ANSWER_US, () => this.run(() => this.end(job)));
  }

  private end(job: HistoryJob): void {
    const { nowUs } = this.queue;
    if (this.stream.failing || !this.connected()) {
      this.plan.failed(job, true, nowUs);
      return;
    }
    if (job.kind === 'prepare') this.plan.prepared(nowUs);
    else if (job.kind === 'check') this.plan.checked(nowUs);
    else {
      const sinceUs = job.since === 'start' ? 0 : job.since.timeUs;
      for (const { payload, fact } of this.stream.since(sinceUs)) this.receive(payload, fact);
      this.plan.replayed(job.since, false, nowUs);
    }
  }
}
