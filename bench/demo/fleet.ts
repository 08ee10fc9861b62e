/**
 * One cluster of engines with the gateways in front of it, which route by one policy, report what they do with the client of
 * this project, and keep a ledger of what is in flight: what every replica must show.
 */
import { type Booking, type MetadataCenter, MetadataCenterError, type View } from '../../src/client';
import type { Engine, InferenceRequest } from './engine';
import type { Random } from './random';

export type Policy = 'select' | 'best of 4' | 'round robin' | 'random';

/** A request that is decoding still takes room: this many prompt tokens' worth. */
const TOKENS_PER_REQUEST = 150;

export class Fleet {
  readonly timesToFirstToken: number[] = [];
  readonly cluster: string;
  started = 0;
  finished = 0;
  private readonly ledger = new Map<string, { queued: number; prompt: number }>();
  private readonly byAddress: ReadonlyMap<string, Engine>;
  private readonly candidates: readonly string[];
  /** Of each gateway, where it routes by what it watches. */
  private readonly views: readonly View[];
  private turn = 0;
  private frozen = false;

  constructor(
    readonly policy: Policy,
    private readonly engines: readonly Engine[],
    private readonly gateways: readonly MetadataCenter[],
    private readonly random: Random,
    private readonly nowMs: () => number,
    private readonly onDefect: (error: unknown) => void,
  ) {
    this.cluster = policy.replaceAll(' ', '-');
    this.byAddress = new Map(engines.map((engine) => [engine.ip, engine]));
    this.candidates = [...this.byAddress.keys()];
    this.views = policy === 'best of 4' ? gateways.map((gateway) => gateway.watch(this.cluster)) : [];
  }

  get inFlight(): number {
    return this.started - this.finished;
  }

  /** What is in flight, as rows: engines with nothing in flight are left out. */
  get expected(): ReadonlyMap<string, { readonly queued: number; readonly prompt: number }> {
    return this.ledger;
  }

  handle(request: InferenceRequest, number: number): void {
    this.serve(request, number % this.gateways.length).catch(this.onDefect);
  }

  freeze(): void {
    this.frozen = true;
    for (const engine of this.engines) engine.freeze();
  }

  private async serve({ promptTokens, outputTokens }: InferenceRequest, gateway: number): Promise<void> {
    const arrivedMs = this.nowMs();
    const booking = await this.begin(promptTokens, gateway);
    if (booking === undefined) return;
    this.started++;
    const { engine: ip } = booking;
    this.book(ip, 1, promptTokens);
    if (this.frozen) return;
    this.byAddress.get(ip)!.serve(
      { promptTokens, outputTokens },
      () => {
        this.timesToFirstToken.push(this.nowMs() - arrivedMs);
        this.book(ip, 0, -promptTokens);
        booking.firstToken();
      },
      () => {
        this.finished++;
        this.book(ip, -1, 0);
        booking.end();
      },
    );
  }

  /** Undefined once everything is held still. */
  private async begin(promptLength: number, gateway: number): Promise<Booking | undefined> {
    const { cluster, candidates } = this;
    const mc = this.gateways[gateway]!;
    while (!this.frozen) {
      if (this.policy !== 'select') return mc.add({ cluster, ip: this.choose(gateway), promptLength });
      try {
        return await mc.select({ cluster, promptLength, candidates, requestCost: TOKENS_PER_REQUEST });
      } catch (error) {
        // No replica could say: two of three may be away at once. Anything else is a defect, of the demo or the service.
        const isAway = error instanceof MetadataCenterError && (error.status === 0 || error.status === 503);
        if (!isAway) throw error;
      }
    }
    return undefined;
  }

  private choose(gateway: number): string {
    const { candidates, random } = this;
    if (this.policy === 'random') return candidates[random.below(candidates.length)]!;
    if (this.policy === 'round robin') return candidates[this.turn++ % candidates.length]!;
    return this.views[gateway]!.pick({ of: 4, candidates, requestCost: TOKENS_PER_REQUEST })!.ip;
  }

  private book(ip: string, queued: number, prompt: number): void {
    const row = this.ledger.get(ip) ?? { queued: 0, prompt: 0 };
    row.queued += queued;
    row.prompt += prompt;
    this.ledger.set(ip, row);
  }
}
