/** A gateway that saves prompts, as a process of its own: it would not measure adds well that made the saves beside them. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { exitOf, killWithParent } from '../../test/support/child-processes';
import { Lanes, type Target } from '../load/lanes';
import { openLoop } from '../load/open-loop';
import { cacheSaveRequest, emptyCacheSaveRequest, queryRequest } from '../load/requests';

const LANES = 16;

/** Of so many chunks each, all new; 0: of prompts that are too short to be saved. */
export interface Saves {
  readonly chunks: number;
  readonly perSecond: number;
  readonly durationMs: number;
}

interface Saved {
  /** Processor time that the saver itself has taken, milliseconds. */
  readonly cpuMs: number;
}

export class Saver {
  private constructor(private readonly child: ChildProcess) {}

  static async start(targets: readonly Target[]): Promise<Saver> {
    const child = fork(__filename, [JSON.stringify(targets)]);
    killWithParent(child);
    await reportOf(child);
    return new Saver(child);
  }

  async save(saves: Saves): Promise<Saved> {
    const saved = reportOf(this.child);
    this.child.send(saves);
    return (await saved) as Saved;
  }

  stop(): Promise<unknown> {
    this.child.kill();
    return exitOf(this.child);
  }
}

async function reportOf(child: ChildProcess): Promise<unknown> {
  const ended = new AbortController();
  const lost = once(child, 'exit', { signal: ended.signal }).then(() => {
    throw new Error('the saver has ended');
  });
  try {
    const [report] = (await Promise.race([
      once(child, 'message', { signal: ended.signal }),
      lost,
    ])) as unknown[];
    return report;
  } finally {
    lost.catch(() => undefined);
    ended.abort();
  }
}

async function main(targets: readonly Target[]): Promise<void> {
  const lanes = await Lanes.open(targets, LANES);
  await lanes.greet(queryRequest());
  let count = 0;
  const report = (saved: Saved | 'ready'): void => void process.send!(saved);
  process.on('message', ({ chunks, perSecond, durationMs }: Saves) => {
    const requestOf = (): string =>
      chunks > 0 ? cacheSaveRequest(count++, chunks) : emptyCacheSaveRequest(count++);
    const before = process.cpuUsage();
    void openLoop(lanes, requestOf, perSecond, durationMs).then(() => {
      const { user, system } = process.cpuUsage(before);
      report({ cpuMs: (user + system) / 1_000 });
    });
  });
  report('ready');
}

if (require.main === module) void main(JSON.parse(process.argv[2]!) as Target[]);
