/** The files that the replica follows: read at the start, where a bad one is a bad variable, and again when they change. */
import type { Logger } from 'pino';
import { ConfigError } from '../config/config';
import { WatchedFiles } from '../security/watched-files';

export class LiveFiles {
  private readonly watched: WatchedFiles[] = [];

  constructor(private readonly logger: Logger) {}

  /** `use` gets the contents, now and after each change. What it throws must not repeat them. */
  follow(variable: string, paths: readonly string[], use: (contents: readonly Buffer[]) => void): void {
    const files = new WatchedFiles(paths, {
      use,
      changed: () => this.logger.info({ variable }, 'files read again'),
      unusable: (reason) =>
        this.logger.error({ variable, reason }, 'files cannot be used; what they held before still holds'),
    });
    try {
      files.load();
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      throw new ConfigError([{ variable, problem }]);
    }
    this.watched.push(files);
  }

  start(): void {
    for (const files of this.watched) files.start();
  }

  stop(): void {
    for (const files of this.watched) files.stop();
  }
}
