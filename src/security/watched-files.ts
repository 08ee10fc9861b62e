/**
 * Files that are read again when they change: tokens, keys, certificates. Their content is compared, every second;
 * times, sizes and notifications miss what Kubernetes does with mounted secrets, which it swaps by symbolic links.
 */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

export interface WatchedFilesPort {
  /** Takes the contents, in the order of the paths, or throws and keeps what it has. */
  readonly use: (contents: readonly Buffer[]) => void;
  readonly changed: () => void;
  /** They cannot be read or used; what was used last stays. Said once for each reason. */
  readonly unusable: (reason: string) => void;
}

const INTERVAL_MS = 1_000;
const MAX_BYTES = 1024 * 1024;

export class WatchedFiles {
  private tried: readonly Buffer[] = [];
  /** What the last look found: used once the next one finds the same, as it may be half written. */
  private seen: readonly Buffer[] = [];
  private complaint = '';
  private reading = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly paths: readonly string[],
    private readonly port: WatchedFilesPort,
    private readonly intervalMs = INTERVAL_MS,
  ) {}

  /** The first time, at the start: throws when they cannot be read or used. */
  load(): void {
    const contents = this.paths.map((path) => readFileSync(path));
    checkSizes(contents);
    this.port.use(contents);
    this.tried = contents;
  }

  start(): void {
    this.timer = setInterval(() => void this.poll(), this.intervalMs);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private async poll(): Promise<void> {
    if (this.reading) return;
    this.reading = true;
    try {
      const contents = await Promise.all(this.paths.map((path) => readFile(path)));
      const settled = areEqual(contents, this.seen);
      this.seen = contents;
      if (!settled) return;
      const same = areEqual(contents, this.tried);
      if (same && this.complaint === '') return;
      this.tried = contents;
      checkSizes(contents);
      this.port.use(contents);
      this.complaint = '';
      if (!same) this.port.changed();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (reason !== this.complaint) this.port.unusable(reason);
      this.complaint = reason;
    } finally {
      this.reading = false;
    }
  }
}

function areEqual(contents: readonly Buffer[], others: readonly Buffer[]): boolean {
  return contents.every((content, index) => others[index]?.equals(content));
}

function checkSizes(contents: readonly Buffer[]): void {
  if (contents.some(({ length }) => length > MAX_BYTES)) throw new Error('larger than 1 MiB');
}
