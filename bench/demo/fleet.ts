/**
 * One cluster of engines with the gateways in front of it, which route by one policy, report what they do, and keep a
 * ledger of what is in flight: what every replica must show.
 */
import type { Engine, InferenceRequest } from './engine';
import type { Random } from './random';
import type { ReplicaClient, Row } from './replica-client';

export type Policy = 'least load' | 'round robin' | 'random' | 'select';

/** A request that is decoding still takes room: this many prompt tokens' worth. */
const TOKENS_PER_REQUEST = 150;

export class Fleet {
  readonly timesToFirstToken: number[] = [];
  readonly cluster: string;
  started = 0;
  finished = 0;
  private readonly ledger = new Map<string, { queued: number; prompt: number }>();
  private turn = 0;
  private frozen = false;

  constructor(
    readonly policy: Policy,
    private readonly engines: readonly Engine[],
    private readonly gateways: readonly ReplicaClient[],
    private readonly random: Random,
    private readonly nowMs: () => number,
    private readonly onDefect: (error: unknown) => void,
  ) {
    this.cluster = policy.replace(' ', '-');
  }

  get inFlight(): number {
    return this.started - this.finished;
  }

  /** What is in flight, as rows: engines with nothing in flight are left out. */
  get expected(): ReadonlyMap<string, { readonly queued: number; readonly prompt: number }> {
    return this.ledger;
  }

  handle(request: InferenceRequest, number: number): void {
    this.serve(request, number).catch(this.onDefect);
  }

  freeze(): void {
    this.frozen = true;
    for (const engine of this.engines) engine.freeze();
  }

  private async serve(request: InferenceRequest, number: number): Promise<void> {
    const gateway = this.gateways[number % this.gateways.length]!;
    if (this.policy === 'select') return this.select(request, number, gateway);
    const arrivedMs = this.nowMs();
    const engine = await this.choose(gateway);
    if (this.frozen) return;
    const request_id = `${this.cluster}-${number}`;
    const timestamp = Date.now() * 1_000_000;
    const prompt_length = request.promptTokens;
    this.started++;
    this.book(engine.ip, 1, prompt_length);
    const added = gateway.report('POST', '/v1/load/stats', {
      cluster: this.cluster,
      request_id,
      ip: engine.ip,
      prompt_length,
      timestamp,
    });
    this.run(request, request_id, engine, arrivedMs, gateway, added);
    await added;
  }

  /** One call chooses and reports. After a lost answer the id is ended, whatever became of it, and another one is chosen for. */
  private async select(request: InferenceRequest, number: number, gateway: ReplicaClient): Promise<void> {
    const arrivedMs = this.nowMs();
    const prompt_length = request.promptTokens;
    for (let attempt = 1; ; attempt++) {
      const request_id = `${this.cluster}-${number}-${attempt}`;
      const ip = await gateway.select({
        cluster: this.cluster,
        request_id,
        prompt_length,
        candidates: this.engines.map((engine) => engine.ip),
        request_cost: TOKENS_PER_REQUEST,
        timestamp: Date.now() * 1_000_000,
      });
      if (ip === undefined) {
        await gateway.report('DELETE', '/v1/load/stats', { request_id });
        if (this.frozen) return;
        continue;
      }
      this.started++;
      this.book(ip, 1, prompt_length);
      if (this.frozen) return;
      const engine = this.engines.find((each) => each.ip === ip)!;
      this.run(request, request_id, engine, arrivedMs, gateway, Promise.resolve());
      return;
    }
  }

  private run(
    request: InferenceRequest,
    request_id: string,
    engine: Engine,
    arrivedMs: number,
    gateway: ReplicaClient,
    added: Promise<void>,
  ): void {
    const prompt_length = request.promptTokens;
    const later = (path: string): void => {
      // After the add has been answered: a gateway's own reports do not overtake each other.
      added.then(() => gateway.report('DELETE', path, { request_id })).catch(this.onDefect);
    };
    engine.serve(
      request,
      () => {
        this.timesToFirstToken.push(this.nowMs() - arrivedMs);
        this.book(engine.ip, 0, -prompt_length);
        later('/v1/load/prompt');
      },
      () => {
        this.finished++;
        this.book(engine.ip, -1, 0);
        later('/v1/load/stats');
      },
    );
  }

  private async choose(gateway: ReplicaClient): Promise<Engine> {
    const { engines, random } = this;
    if (this.policy === 'random') return engines[random.below(engines.length)]!;
    if (this.policy === 'round robin') return engines[this.turn++ % engines.length]!;
    const rows = new Map((await gateway.rows(this.cluster)).map((row) => [row.ip, row]));
    // From a random start, so that gateways do not all pick the first of several equals.
    const start = random.below(engines.length);
    let best = engines[start]!;
    for (let i = 1; i < engines.length; i++) {
      const engine = engines[(start + i) % engines.length]!;
      if (loadOf(rows.get(engine.ip)) < loadOf(rows.get(best.ip))) best = engine;
    }
    return best;
  }

  private book(ip: string, queued: number, prompt: number): void {
    const row = this.ledger.get(ip) ?? { queued: 0, prompt: 0 };
    row.queued += queued;
    row.prompt += prompt;
    this.ledger.set(ip, row);
  }
}

function loadOf(row: Row | undefined): number {
  return row === undefined ? 0 : row.prompt_length + TOKENS_PER_REQUEST * row.queued_req_num;
}
