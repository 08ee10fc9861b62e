/**
 * A simulated inference server: prompts are prefilled one after the other, then tokens are decoded side by side, the
 * slower the more there are. Its times are real time.
 */

export interface EngineSpeed {
  readonly promptTokensPerMs: number;
  readonly msPerOutputToken: number;
}

export interface InferenceRequest {
  readonly promptTokens: number;
  readonly outputTokens: number;
}

export class Engine {
  private prefillFreeAtMs = 0;
  private decoding = 0;
  private readonly timers = new Set<NodeJS.Timeout>();

  constructor(
    readonly ip: string,
    private readonly speed: EngineSpeed,
    private readonly nowMs: () => number,
  ) {}

  serve(request: InferenceRequest, onFirstToken: () => void, onFinished: () => void): void {
    const now = this.nowMs();
    const prefillMs = request.promptTokens / this.speed.promptTokensPerMs;
    this.prefillFreeAtMs = Math.max(now, this.prefillFreeAtMs) + prefillMs;
    this.after(this.prefillFreeAtMs - now, () => {
      onFirstToken();
      const crowding = 1 + this.decoding / 16;
      this.decoding++;
      this.after(request.outputTokens * this.speed.msPerOutputToken * crowding, () => {
        this.decoding--;
        onFinished();
      });
    });
  }

  /** Nothing happens any more: neither first tokens nor ends. */
  freeze(): void {
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
  }

  private after(ms: number, work: () => void): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      work();
    }, ms);
    this.timers.add(timer);
  }
}
