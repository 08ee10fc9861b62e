/** The example `aigw`: a replica with the variables that its page names answers 200 to every call that aigw makes. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RawConnection, rows } from '../http/client';
import { startReplica, stopReplicas } from '../http/replica';

const FOLDER = join(__dirname, '../../examples/aigw');

afterAll(stopReplicas);

describe('a replica for aigw', () => {
  it('answers 200 to its calls as it makes them, also where they overtake each other or come twice', async () => {
    const lines = readFileSync(join(FOLDER, 'replicas.env'), 'utf8').split('\n');
    const pairs = lines.filter((line) => line !== '' && !line.startsWith('#')).map((line) => line.split('='));
    const { port } = await startReplica(Object.fromEntries(pairs) as Record<string, string>);
    const connection = await RawConnection.open(port);
    const call = async (line: string, body = ''): Promise<number> => {
      const length = body === '' ? '' : `Content-Length: ${body.length}\r\n`;
      connection.send(`${line} HTTP/1.1\r\nHost: metadata-center:8080\r\nTraceId: \r\n${length}\r\n${body}`);
      return (await connection.answer()).status;
    };
    const add = (id: string): string =>
      `{"cluster":"qwen3.service","request_id":"${id}","prompt_length":40,"ip":"10.0.0.7","timestamp":1758350000000000001}`;
    const deletion = (id: string): string => `{"cluster":"","request_id":"${id}","prompt_length":0,"ip":""}`;
    const hashes = '[12873452398745623487,42]';
    const statuses = [
      await call('POST /v1/cache/query', `{"cluster":"qwen3.service","prompt_hash":${hashes},"topk":10}`),
      await call('GET /v1/load/stats?cluster=qwen3.service'),
      await call('POST /v1/load/stats', add('a')),
      await call('POST /v1/load/stats', add('a')),
      await call('DELETE /v1/load/prompt', deletion('a')),
      await call('DELETE /v1/load/stats', deletion('a')),
      await call('DELETE /v1/load/prompt', deletion('a')),
      await call('DELETE /v1/load/stats', deletion('a')),
      await call('POST /v1/load/stats', add('a')),
      await call('DELETE /v1/load/stats', deletion('b')),
      await call('POST /v1/load/stats', add('b')),
      await call(
        'POST /v1/cache/save',
        `{"cluster":"qwen3.service","prompt_hash":${hashes},"ip":"10.0.0.7"}`,
      ),
    ];
    connection.close();
    expect(statuses).toEqual(statuses.map(() => 200));
    expect(await rows(port, 'qwen3.service')).toMatchObject([{ queued_req_num: 0, prompt_length: 0 }]);
  });
});
