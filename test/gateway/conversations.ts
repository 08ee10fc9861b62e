/**
 * Conversations of users, whose turns the gateway routes: it asks where the prompt's prefix is cached and how busy the engines are,
 * chooses one, and reports the request, the end of its prefill, what the engine has cached now, and its end. Each turn's prompt begins
 * with the one before.
 */
import { setTimeout as delay } from 'node:timers/promises';
import * as calls from './calls';
import type { PromptHash } from './calls';
import type { Gateway } from './gateway';

/** Beside each other. */
const CONVERSATIONS = 40;
const TURNS = 5;
const ENGINES = 8;
const CHUNK_BYTES = 512;
/** Of the first turn's prompt, and of what each later one adds. */
const FIRST_CHUNKS = 30;
const MORE_CHUNKS = 5;
const PREFILL_MS = 30;
const DECODE_MS = 300;
/** One in so many asks with an empty prompt. */
const EMPTY = 10;

export const CLUSTERS = ['qwen3.service', 'llama-70b.service', 'mixtral', 'deepseek-r1'];

interface Location {
  readonly ip: string;
  readonly length: number;
}

interface Row {
  readonly ip: string;
  readonly queued_req_num: number;
  readonly prompt_length: number;
}

export class Conversations {
  /** Requests that have begun, and that have ended. */
  begun = 0;
  ended = 0;
  /** Requests whose engine was chosen by the rows. */
  routedByLoad = 0;
  /** Turns whose prefix an engine had from the turn before, and of them those where the gateway was told so. */
  repeated = 0;
  found = 0;
  private readonly lanes: Promise<void>[];

  /** `goesOn` is asked before each request, with the number of those that have begun. */
  constructor(
    private readonly gateway: Gateway,
    private readonly random: () => number,
    private readonly goesOn: (begun: number) => boolean,
    /** One digit of the ids, so that another run has others. */
    private readonly run: number,
  ) {
    this.lanes = Array.from({ length: CONVERSATIONS }, (_, lane) => this.lane(lane));
  }

  async over(): Promise<void> {
    await Promise.all(this.lanes);
  }

  private async lane(lane: number): Promise<void> {
    const cluster = CLUSTERS[lane % CLUSTERS.length]!;
    for (;;) {
      const hashes: bigint[] = [];
      let saved: { readonly ip: string; readonly chunks: number } | undefined;
      for (let turn = 0; turn < TURNS; turn++) {
        if (!this.goesOn(this.begun)) return;
        const chunks = turn === 0 ? this.upTo(FIRST_CHUNKS) : this.upTo(MORE_CHUNKS);
        for (let i = 0; i < chunks; i++) hashes.push(this.hash());
        const ip = await this.request(cluster, hashes, saved);
        saved = { ip, chunks: hashes.length };
      }
      if (this.upTo(EMPTY) === 1 && this.goesOn(this.begun)) await this.request(cluster, null, undefined);
    }
  }

  /** One life of a request; answers its engine. */
  private async request(
    cluster: string,
    hashes: PromptHash,
    saved: { readonly ip: string; readonly chunks: number } | undefined,
  ): Promise<string> {
    const { gateway } = this;
    const number = this.begun++;
    const id = `5f1c9a70-0000-4000-800${this.run}-${number.toString(16).padStart(12, '0')}`;
    const cached = (await gateway.ask(calls.queryCache(cluster, hashes))) as
      { readonly locations: readonly Location[] } | undefined;
    const rows = (await gateway.ask(calls.queryLoad(cluster))) as readonly Row[] | undefined;
    if (rows) this.routedByLoad++;
    if (saved) {
      this.repeated++;
      if (cached?.locations.some(({ ip, length }) => ip === saved.ip && length === saved.chunks))
        this.found++;
    }
    const ip = this.choose(cached?.locations ?? [], rows ?? []);
    const promptLength = (hashes?.length ?? 0) * CHUNK_BYTES;
    const nowNs = BigInt(Date.now()) * 1_000_000n;
    const reports = [gateway.report(calls.addRequest(id, cluster, promptLength, ip, nowNs + BigInt(number)))];
    await delay(this.random() * PREFILL_MS);
    reports.push(
      gateway.report(calls.saveCache(cluster, hashes, ip)),
      gateway.report(calls.deletePrompt(id)),
    );
    await delay(this.random() * DECODE_MS);
    reports.push(gateway.report(calls.deleteRequest(id)));
    await Promise.all(reports);
    this.ended++;
    return ip;
  }

  /** Where most of the prompt is cached, else the least busy of those that nobody uses yet or everybody does. */
  private choose(locations: readonly Location[], rows: readonly Row[]): string {
    if (locations[0]) return locations[0].ip;
    const queued = new Map(rows.map((row) => [row.ip, row.queued_req_num]));
    const engines = Array.from({ length: ENGINES }, (_, i) => `10.0.0.${i + 1}`);
    return engines.reduce((best, ip) => ((queued.get(ip) ?? 0) < (queued.get(best) ?? 0) ? ip : best));
  }

  private upTo(most: number): number {
    return 1 + Math.floor(this.random() * most);
  }

  /** 64 bits, mostly beyond what a number holds. */
  private hash(): bigint {
    const half = (): bigint => BigInt(Math.floor(this.random() * 2 ** 32));
    return (half() << 32n) | half();
  }
}
