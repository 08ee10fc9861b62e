/**
 * Where log lines go. The reader may stall, be gone, or have no room: logging never ends the service, and what waits for a
 * reader is bounded. Lines beyond that are dropped and counted, and stderr says so in one line.
 */
import { fstatSync, writeFileSync } from 'node:fs';
import type { Writable } from 'node:stream';

/** What waits for a reader that takes nothing. */
const MAX_WAITING_BYTES = 1024 * 1024;
/** stderr is told again only after lines were written for so long. */
const QUIET_AFTER_MS = 60_000;

export type LogStream = Writable & { readonly fd: number; readonly isTTY?: boolean };

export class LogOutput {
  /** Lines that were dropped since the start. */
  dropped = 0;
  private lastDropMs = -Infinity;
  private broken: string | undefined;
  private readonly isFile: boolean;

  constructor(
    private readonly stream: LogStream,
    private readonly complain: (line: string) => void,
    private readonly monotonicMs: () => number,
  ) {
    this.isFile = isFile(stream);
    stream.on('error', (error) => {
      this.broken = error.message;
      this.drop();
    });
  }

  write(line: string): void {
    if (this.isFile) this.writeToFile(line);
    else if (this.broken !== undefined || this.stream.writableLength > MAX_WAITING_BYTES) this.drop();
    else this.stream.write(line);
  }

  /** By the descriptor: a stream that has failed once is of no use when there is room again. */
  private writeToFile(line: string): void {
    try {
      writeFileSync(this.stream.fd, line);
    } catch (error) {
      this.broken = error instanceof Error ? error.message : String(error);
      this.drop();
    }
  }

  private drop(): void {
    this.dropped++;
    const now = this.monotonicMs();
    if (now - this.lastDropMs > QUIET_AFTER_MS) {
      this.complain(`log lines are dropped: ${this.broken ?? 'the reader of stdout takes none'}\n`);
    }
    this.lastDropMs = now;
  }
}

/** Files are written at once; a device that is no terminal, such as /dev/full, too. */
function isFile({ fd, isTTY }: LogStream): boolean {
  const stats = fstatSync(fd);
  return stats.isFile() || (stats.isCharacterDevice() && isTTY !== true);
}
