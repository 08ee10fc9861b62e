/** A reader of server-sent events over a socket of its own, which can stop reading. It keeps rows as a gateway would. */
import { get, type IncomingMessage } from 'node:http';
import type { Row } from '../http/client';

export interface StreamEvent {
  readonly name: string;
  readonly id: string;
  readonly data: unknown;
}

interface RowsData {
  readonly rows: readonly Row[];
  readonly removed: readonly string[];
}

export class EventReader {
  readonly events: StreamEvent[] = [];
  readonly comments: string[] = [];
  readonly rows = new Map<string, Row>();
  retryMs: number | undefined;
  ended = false;
  private text = '';

  private constructor(readonly response: IncomingMessage) {
    response.setEncoding('utf8').on('data', (text: string) => this.read(text));
    response.on('error', () => undefined);
    response.on('close', () => (this.ended = true));
  }

  static open(port: number, path: string, headers: Record<string, string> = {}): Promise<EventReader> {
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port, path, agent: false as const, headers };
      get(options, (response) => resolve(new EventReader(response))).once('error', reject);
    });
  }

  /** Rows in ascending order of address, as the API lists them. */
  get sortedRows(): Row[] {
    const number = ({ ip }: Row): number => ip.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
    return [...this.rows.values()].sort((a, b) => number(a) - number(b));
  }

  pause(): void {
    this.response.socket.pause();
    this.response.pause();
  }

  resume(): void {
    this.response.socket.resume();
    this.response.resume();
  }

  close(): void {
    this.response.destroy();
  }

  private read(text: string): void {
    const blocks = (this.text + text).split('\n\n');
    this.text = blocks.pop() ?? '';
    for (const block of blocks) this.take(block);
  }

  private take(block: string): void {
    const fields = new Map<string, string>();
    for (const line of block.split('\n')) {
      const colon = line.indexOf(': ');
      if (line.startsWith(':')) this.comments.push(line);
      else fields.set(line.slice(0, colon), line.slice(colon + 2));
    }
    if (fields.has('retry')) this.retryMs = Number(fields.get('retry'));
    const json = fields.get('data');
    if (json === undefined) return;
    const event = {
      name: fields.get('event') ?? '',
      id: fields.get('id') ?? '',
      data: JSON.parse(json) as unknown,
    };
    this.events.push(event);
    if (event.name !== 'rows' && event.name !== 'changes') return;
    const { rows, removed } = event.data as RowsData;
    if (event.name === 'rows') this.rows.clear();
    for (const ip of removed) this.rows.delete(ip);
    for (const row of rows) this.rows.set(row.ip, row);
  }
}
