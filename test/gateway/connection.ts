/** A keep-alive connection of the gateway: the bytes that it is given, one request at a time. */
import { connect, type Socket } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly body: string;
}

type Settle = (answer: Answer | undefined) => void;

export class Connection {
  private readonly socket: Socket;
  private received = '';
  private settle: Settle | undefined;
  private closed = false;

  constructor(host: string, port: number) {
    this.socket = connect({ host, port, noDelay: true });
    this.socket.setEncoding('latin1');
    this.socket.on('data', (text: string) => this.read(text));
    this.socket.on('error', () => this.close());
    this.socket.on('close', () => this.close());
  }

  get usable(): boolean {
    return !this.closed;
  }

  /**
   * Answers undefined where there is no whole answer in time; the connection is then of no more use. `heldUpMs` says how long the machine
   * has kept its processes waiting, which is not counted.
   */
  request(bytes: string, timeoutMs: number, heldUpMs: () => number): Promise<Answer | undefined> {
    return new Promise((resolve) => {
      const clock = (): number => performance.now() - heldUpMs();
      const started = clock();
      const settle: Settle = (answer) => {
        clearTimeout(timer);
        this.settle = undefined;
        resolve(answer);
      };
      const look = (): void => {
        if (this.settle !== settle) return;
        const leftMs = timeoutMs - (clock() - started);
        if (leftMs > 0) timer = setTimeout(lookAfterReading, leftMs);
        else this.close();
      };
      // Where this process was held up, the answer may have come in time and only wait to be read: that is done first.
      const lookAfterReading = (): void => void setImmediate(look);
      let timer = setTimeout(lookAfterReading, timeoutMs);
      this.settle = settle;
      if (this.closed) settle(undefined);
      else this.socket.write(bytes, 'latin1');
    });
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.socket.destroy();
    this.settle?.(undefined);
  }

  private read(text: string): void {
    this.received += text;
    const headEnd = this.received.indexOf('\r\n\r\n');
    if (headEnd < 0) return;
    const length = /\r\ncontent-length: (\d+)/i.exec(this.received.slice(0, headEnd))?.[1];
    const bodyEnd = headEnd + 4 + Number(length);
    if (!(this.received.length >= bodyEnd)) return;
    const status = Number(this.received.slice(9, 12));
    const body = this.received.slice(headEnd + 4, bodyEnd);
    this.received = this.received.slice(bodyEnd);
    this.settle?.({ status, body });
  }
}
