/**
 * One keep-alive HTTP/1.1 connection over a bare socket, one request at a time. The load generator shares the cores with
 * what it measures, so it must cost a fraction of it: no HTTP client, no parser, no object per answer.
 */
import { connect, type Socket } from 'node:net';

const READ_BUFFER_BYTES = 64 * 1024;
const AWAITS_HEAD = -1;

export class Connection {
  private socket: Socket | undefined;
  private remainingBytes = AWAITS_HEAD;
  private status = 0;
  private onAnswer: (status: number) => void = () => undefined;
  private onLost: (error: Error) => void = () => undefined;

  constructor(
    private readonly host: string,
    private readonly port: number,
  ) {}

  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.onLost = reject;
      const onread = {
        buffer: Buffer.allocUnsafe(READ_BUFFER_BYTES),
        callback: (bytes: number, buffer: Uint8Array): boolean => this.read(bytes, buffer as Buffer),
      };
      this.socket = connect({ host: this.host, port: this.port, noDelay: true, onread }, resolve);
      this.socket.on('error', (error) => this.onLost(error));
      this.socket.on('close', () => this.onLost(new Error('the server has closed a connection')));
    });
  }

  /** `onAnswer` is called once the whole answer is here; it may send the next request at once. */
  send(request: string, onAnswer: (status: number) => void, onLost: (error: Error) => void): void {
    this.onAnswer = onAnswer;
    this.onLost = onLost;
    if (this.socket?.writable !== true) {
      onLost(new Error('the server has closed a connection'));
      return;
    }
    this.socket.write(request, 'latin1');
  }

  close(): void {
    this.onLost = () => undefined;
    this.socket?.destroy();
  }

  private read(bytes: number, buffer: Buffer): boolean {
    if (this.remainingBytes === AWAITS_HEAD) this.remainingBytes = this.readHead(buffer.subarray(0, bytes));
    else this.remainingBytes -= bytes;
    if (this.remainingBytes === 0) {
      this.remainingBytes = AWAITS_HEAD;
      this.onAnswer(this.status);
    }
    return true;
  }

  /** The servers measured send the head of an answer in one piece; answers how many bytes are still to come. */
  private readHead(buffer: Buffer): number {
    const head = buffer.toString('latin1', 0, Math.min(buffer.length, 1024));
    const end = head.indexOf('\r\n\r\n');
    const length = /content-length: (\d+)/i.exec(head)?.[1];
    if (end < 0 || length === undefined) throw new Error(`unexpected answer: ${head}`);
    this.status = Number(head.slice(9, 12));
    return end + 4 + Number(length) - buffer.length;
  }
}
