/**
 * What there is to reach: `node:http` with nothing on it. Reads and parses the body, and answers texts that were made
 * before, of the size of the real ones and with the same headers. Started as a process; says its port on stdout.
 */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The answer to GET by URL; `''` is the answer to everything that has a body. */
export type BareAnswers = Readonly<Record<string, string>>;

const answers = new Map(Object.entries(JSON.parse(process.argv[2]!) as BareAnswers));
const afterBody = answers.get('')!;

const server = createServer((req, res) => {
  if (req.method === 'GET') {
    answer(res, answers.get(req.url!)!);
    return;
  }
  const chunks: Buffer[] = [];
  req.on('data', (chunk: Buffer) => chunks.push(chunk));
  req.on('end', () => {
    const body: unknown = JSON.parse((chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)).toString());
    answer(res, typeof body === 'object' ? afterBody : '');
  });
});

function answer(res: ServerResponse, body: string): void {
  res
    .writeHead(200, {
      'Content-Type': 'application/json; charset=utf-8',
      'Content-Length': Buffer.byteLength(body),
      'X-Trace-ID': '00112233445566778899aabbccddeeff',
    })
    .end(body);
}

server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
