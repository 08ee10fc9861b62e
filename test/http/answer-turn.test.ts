/** Answers of one turn of the event loop leave together, and a query sees what came before it on its connection (I5). */
import { AnswerTurn } from '../../src/http/answer-turn';
import { RawConnection, type Row } from './client';
import { startReplica, stopReplicas } from './replica';

afterAll(stopReplicas);

const nextPhase = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a turn', () => {
  it('takes all reports at its end, then answers queries, and reports when their events have left (I5)', async () => {
    const given: string[] = [];
    const report = (name: string) => (): (() => void) => {
      given.push(`${name} taken`);
      return () => given.push(name);
    };
    let publish: () => void = () => undefined;
    const turn = new AnswerTurn(
      (callback) => (publish = callback),
      () => 0,
    );
    turn.report(report('report'));
    turn.query(() => given.push('query'));
    turn.report(report('another'));
    expect(given).toEqual([]);
    await nextPhase();
    expect(given).toEqual(['report taken', 'another taken', 'query']);
    publish();
    expect(given).toEqual(['report taken', 'another taken', 'query', 'report', 'another']);
  });

  it('gives what is asked while it answers in the next one', async () => {
    const given: string[] = [];
    const turn = new AnswerTurn(
      (callback) => callback(),
      () => 0,
    );
    turn.query(() => turn.query(() => given.push('next')));
    await nextPhase();
    expect(given).toEqual([]);
    await nextPhase();
    expect(given).toEqual(['next']);
  });

  it('holds its answers while each turn brings one more connection, for at most 40 ms', async () => {
    const given: string[] = [];
    let nowMs = 100;
    const turn = new AnswerTurn(
      (callback) => callback(),
      () => nowMs,
    );
    const turnWithConnection = (): Promise<void> => {
      turn.connectionAccepted();
      return nextPhase();
    };
    turn.query(() => given.push('first'));
    await turnWithConnection();
    turn.report(() => () => given.push('second'));
    await turnWithConnection();
    expect(given).toEqual([]);
    await nextPhase();
    expect(given).toEqual(['first', 'second']);

    turn.query(() => given.push('third'));
    await turnWithConnection();
    nowMs += 40;
    await turnWithConnection();
    expect(given).toEqual(['first', 'second', 'third']);
  });
});

describe('requests in one packet on one connection', () => {
  it('are answered in order, and each query from after the reports before it (I5)', async () => {
    const { port } = await startReplica();
    const raw = await RawConnection.open(port);
    const request = (method: string, path: string, body = ''): string =>
      `${method} ${path} HTTP/1.1\r\nHost: replica\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const query = request('GET', '/v1/load/stats?cluster=turn');
    raw.send(
      request(
        'POST',
        '/v1/load/stats',
        '{"cluster":"turn","request_id":"t","ip":"10.0.0.1","prompt_length":7}',
      ) +
        query +
        request('DELETE', '/v1/load/prompt', '{"request_id":"t"}') +
        query +
        request('DELETE', '/v1/load/stats', '{"request_id":"t"}') +
        query,
    );
    const seen: unknown[] = [];
    for (let answer = 0; answer < 6; answer++) {
      const { data } = (await raw.answer()).envelope;
      const rows = data as Row[] | null;
      seen.push(rows && rows.map((row) => [row.queued_req_num, row.prompt_length]));
    }
    raw.close();
    // A later report of the same packet may be seen already.
    expect(seen[1]).not.toEqual([]);
    expect(seen.filter((rows) => rows !== null)).toHaveLength(3);
    expect(seen[5]).toEqual([[0, 0]]);
  });
});
