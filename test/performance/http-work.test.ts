/** Timers and log lines per request, exact. (Prototypes changed per request: test/http/prototypes.test.ts.) */
import { callJson, post, RawConnection } from '../http/client';
import { startReplica, stopReplicas } from '../http/replica';

afterAll(stopReplicas);
afterEach(() => jest.restoreAllMocks());

const QUERY = 'GET /v1/load/stats?cluster=c HTTP/1.1\r\nHost: replica\r\n\r\n';
const REQUESTS = 20;

describe('Work of the HTTP side', () => {
  it('a report sets no timer, waits for no more than the end of its turn, and writes no log line', async () => {
    const replica = await startReplica();
    await post(replica.port, { cluster: 'c', request_id: 'first', ip: '10.0.0.1' });
    const lines = replica.log.length;
    const timeouts = jest.spyOn(globalThis, 'setTimeout');
    const intervals = jest.spyOn(globalThis, 'setInterval');
    const turns = jest.spyOn(globalThis, 'setImmediate');
    for (let i = 0; i < REQUESTS; i++) {
      const { status } = await post(replica.port, { cluster: 'c', request_id: `r${i}`, ip: '10.0.0.1' });
      expect(status).toBe(200);
    }
    expect(timeouts).not.toHaveBeenCalled();
    expect(intervals).not.toHaveBeenCalled();
    expect(turns).toHaveBeenCalledTimes(REQUESTS);
    expect(replica.log).toHaveLength(lines);
  });

  it('a query sets no timer, waits for no more than the end of its turn, and counts rows without looking at requests', async () => {
    const replica = await startReplica();
    for (let i = 0; i < REQUESTS; i++) {
      await post(replica.port, { cluster: 'c', request_id: `r${i}`, ip: '10.0.0.1' });
    }
    const { inFlight } = replica.replicator.loadStats;
    const looks = jest.spyOn(inFlight, 'firstOf');
    const timers = [jest.spyOn(globalThis, 'setTimeout'), jest.spyOn(globalThis, 'setInterval')];
    const turns = jest.spyOn(globalThis, 'setImmediate');
    const { status } = await callJson(replica.port, 'GET', '/v1/load/stats?cluster=c');
    expect(status).toBe(200);
    for (const timer of timers) expect(timer).not.toHaveBeenCalled();
    expect(turns).toHaveBeenCalledTimes(1);
    expect(looks).not.toHaveBeenCalled();
  });

  it('what comes in one packet is answered in one phase', async () => {
    const { port } = await startReplica();
    const raw = await RawConnection.open(port);
    // Answers are held in the turn in which the connection comes.
    expect((await raw.send(QUERY).answer()).status).toBe(200);
    const turns = jest.spyOn(globalThis, 'setImmediate');
    raw.send(QUERY.repeat(REQUESTS));
    for (let i = 0; i < REQUESTS; i++) expect((await raw.answer()).status).toBe(200);
    expect(turns).toHaveBeenCalledTimes(1);
    raw.close();
  });
});
