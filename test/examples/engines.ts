/** Engines that stream: a test says when the tokens of a request come, and sees which engine has it and whether its gateway went. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { CleanUp } from '../support/clean-up';
import { freePort } from '../support/free-port';
import { until } from '../support/until';

export class Held {
  gone = false;

  constructor(
    readonly engine: string,
    readonly headers: IncomingMessage['headers'],
    readonly body: string,
    private readonly res: ServerResponse,
  ) {
    res.on('close', () => (this.gone = true));
  }

  token(text: string): void {
    if (!this.res.headersSent) this.res.writeHead(200, { 'Content-Type': 'text/event-stream' });
    this.res.write(`data: ${text}\n\n`);
  }

  finish(): void {
    this.res.end('data: [DONE]\n\n');
  }

  break(): void {
    this.res.destroy();
  }
}

export class Engines {
  readonly requests: Held[] = [];
  private readonly cleanUp = new CleanUp();

  private constructor(
    readonly hosts: readonly string[],
    readonly port: number,
  ) {}

  static async start(count: number): Promise<Engines> {
    const net = `127.${100 + Math.floor(Math.random() * 100)}.${1 + Math.floor(Math.random() * 250)}`;
    const hosts = Array.from({ length: count }, (_, i) => `${net}.${i + 1}`);
    const engines = new Engines(hosts, await freePort(hosts[0]));
    await Promise.all(hosts.map((host) => engines.listen(host)));
    return engines;
  }

  /** The request with this in its body, once it has come. */
  held(text: string): Promise<Held> {
    return until(() => this.requests.find(({ body }) => body.includes(text)), {
      describe: `a request with ${text} comes to an engine`,
    });
  }

  stop(): Promise<void> {
    return this.cleanUp.run();
  }

  private listen(host: string): Promise<void> {
    const server = createServer((req, res) => {
      let body = '';
      req.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      req.on('end', () => this.requests.push(new Held(host, req.headers, body, res)));
    });
    this.cleanUp.add(() => {
      server.closeAllConnections();
      server.close();
    });
    return new Promise((resolve) => server.listen(this.port, host, resolve));
  }
}
