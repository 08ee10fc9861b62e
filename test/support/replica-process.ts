/** A real replica as a process of its own: what `npm start` runs, on a port of its own, with its log at hand. */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { join } from 'node:path';
import { request } from 'node:http';
import { request as tlsRequest } from 'node:https';
import type { Readable } from 'node:stream';
import { exitOf, hasEnded, killWithParent, type ExitStatus } from './child-processes';
import { freePort } from './free-port';
import { PATIENCE_MS, until } from './until';

const MAIN = join(__dirname, '../../dist/main.js');
const QUICK_START = ['--require', join(__dirname, 'quick-start.cjs')];

export interface ReplicaOptions {
  /** Added to the few variables that every process needs; nothing is inherited from the test's own environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** A loopback address: several replicas can share one port on different ones. */
  readonly host?: string;
  readonly port?: number;
  /** A hosts file that only this process sees in the place of the machine's, so that DNS names can be given answers. */
  readonly hostsFile?: string;
  /** The compiled entry, where it is not the one beside the tests. */
  readonly main?: string;
  /** More options of the engine. */
  readonly nodeOptions?: readonly string[];
  /** Whether it warms up before it is ready: only where that is asked for, or another entry is named. */
  readonly warm?: boolean;
}

export type LogLine = Readonly<Record<string, unknown>>;

export class ReplicaProcess {
  /** Lines of stdout that are not JSON: there should be none. */
  readonly otherOutput: string[] = [];
  readonly log: LogLine[] = [];
  private readonly lines = new EventEmitter();
  private errors = '';
  private partial = '';

  private constructor(
    private readonly child: ChildProcessByStdio<null, Readable, Readable>,
    readonly host: string,
    readonly port: number,
    private readonly scheme: 'http' | 'https',
  ) {
    killWithParent(child);
    child.stdout.setEncoding('utf8').on('data', (text: string) => this.read(text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.errors += text));
  }

  /** Resolves when the replica is ready. */
  static async start(options: ReplicaOptions = {}): Promise<ReplicaProcess> {
    const replica = await ReplicaProcess.launch(options);
    try {
      await replica.ready();
      return replica;
    } catch (error) {
      await replica.kill();
      throw error;
    }
  }

  /** Resolves when the process runs; it may not listen yet, or never will. */
  static async launch({
    env = {},
    host = '127.0.0.1',
    port,
    hostsFile,
    main,
    nodeOptions = [],
    warm = main !== undefined,
  }: ReplicaOptions = {}): Promise<ReplicaProcess> {
    const chosen = port ?? (await freePort(host));
    const command = [
      process.execPath,
      '--max-semi-space-size=32',
      '--v8-pool-size=0',
      ...(warm ? [] : QUICK_START),
      ...nodeOptions,
      main ?? MAIN,
    ];
    const [program = '', ...args] = hostsFile === undefined ? command : withHostsFile(hostsFile, command);
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      // Not in the terminal's group: Ctrl-C is for whoever started this, who then ends it in order.
      detached: true,
      env: { PATH: process.env['PATH'], HTTP_HOST: host, HTTP_PORT: String(chosen), ...env },
    });
    const scheme = env['HTTP_TLS_CERT_FILE'] === undefined ? 'http' : 'https';
    return new ReplicaProcess(child, host, chosen, scheme);
  }

  get url(): string {
    return `${this.scheme}://${this.host}:${this.port}`;
  }

  get pid(): number {
    const { pid } = this.child;
    if (pid === undefined) throw new Error('the replica could not be spawned');
    return pid;
  }

  get stderr(): string {
    return this.errors;
  }

  /** The log line with this message, the last one if there are several. */
  logged(message: string | RegExp): LogLine | undefined {
    return this.log.findLast(({ msg }) =>
      typeof message === 'string' ? msg === message : message.test(String(msg)),
    );
  }

  /** Resolves with the log line with this message once it has been read: an answer can be here before it. */
  hasLogged(message: string | RegExp): Promise<LogLine> {
    return until(() => this.logged(message), { describe: () => `the log says ${message}; ${this.report()}` });
  }

  /** Resolves with the next line with this message, as it is read: for what must follow it at once. */
  async nextLine(message: string): Promise<LogLine> {
    const [line] = (await once(this.lines, `line ${message}`)) as [LogLine];
    return line;
  }

  async ready(timeoutMs = PATIENCE_MS): Promise<void> {
    await this.answers('/readyz', timeoutMs);
  }

  async healthy(timeoutMs = PATIENCE_MS): Promise<void> {
    await this.answers('/healthz', timeoutMs);
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Settles when the process has ended by itself or by a signal sent before. */
  exited(): Promise<ExitStatus> {
    return exitOf(this.child);
  }

  /** The orderly way. */
  async stop(): Promise<ExitStatus> {
    this.signal('SIGTERM');
    return this.exited();
  }

  /** The hard way; also ends a process that is stopped by SIGSTOP. */
  async kill(): Promise<ExitStatus> {
    this.signal('SIGKILL');
    return this.exited();
  }

  private async answers(path: string, timeoutMs: number): Promise<void> {
    await until(
      async () => {
        if (hasEnded(this.child)) return 'ended';
        return (await this.statusOf(path)) === 200;
      },
      { timeoutMs, describe: () => `${path} of ${this.url} answers 200; ${this.report()}` },
    );
    if (hasEnded(this.child)) {
      throw new Error(`the replica has ended; ${this.report()}`);
    }
  }

  /** Whether the certificate is the right one is for tests of certificates to say. */
  private statusOf(path: string): Promise<number | undefined> {
    return new Promise((resolve, reject) => {
      const options = {
        signal: AbortSignal.timeout(1_000),
        rejectUnauthorized: false,
        agent: false as const,
      };
      const send = this.scheme === 'https' ? tlsRequest : request;
      send(`${this.url}${path}`, options, (response) => {
        response.resume().on('end', () => resolve(response.statusCode));
      })
        .on('error', reject)
        .end();
    });
  }

  private report(): string {
    const last = this.log.slice(-10).map((line) => JSON.stringify(line));
    return `last log lines:\n${[...last, ...this.otherOutput.slice(-10)].join('\n')}\n${this.errors}`;
  }

  private read(text: string): void {
    const lines = (this.partial + text).split('\n');
    this.partial = lines.pop() ?? '';
    for (const line of lines) {
      let parsed: LogLine;
      try {
        parsed = JSON.parse(line) as LogLine;
      } catch {
        this.otherOutput.push(line);
        continue;
      }
      this.log.push(parsed);
      this.lines.emit(`line ${String(parsed['msg'])}`, parsed);
    }
  }
}

/** Runs `command` in a mount namespace of its own, under the same pid; without root in a user namespace too. */
function withHostsFile(hostsFile: string, command: readonly string[]): string[] {
  const asRoot = process.getuid?.() === 0 ? [] : ['--map-root-user'];
  const script = 'mount --bind "$1" /etc/hosts && shift && exec "$@"';
  return ['unshare', ...asRoot, '--mount', 'sh', '-c', script, 'sh', hostsFile, ...command];
}
