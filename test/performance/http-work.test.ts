/** Timers and log lines per request, exact. (Prototypes changed per request: test/http/prototypes.test.ts.) */
import { callJson, post } from '../http/client';
import { startReplica, stopReplicas } from '../http/replica';

afterAll(stopReplicas);
afterEach(() => jest.restoreAllMocks());

const REQUESTS = 20;

describe('Work of the HTTP side', () => {
  it('a report sets no timer, waits for no other turn where there is no bus, and writes no log line', async () => {
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
    expect(turns).not.toHaveBeenCalled();
    expect(replica.log).toHaveLength(lines);
  });

  it('a query sets no timer at all, and counts rows without looking at requests', async () => {
    const replica = await startReplica();
    for (let i = 0; i < REQUESTS; i++) {
      await post(replica.port, { cluster: 'c', request_id: `r${i}`, ip: '10.0.0.1' });
    }
    const { inFlight } = replica.replicator.loadStats;
    const looks = jest.spyOn(inFlight, 'firstOf');
    const timers = [
      jest.spyOn(globalThis, 'setTimeout'),
      jest.spyOn(globalThis, 'setInterval'),
      jest.spyOn(globalThis, 'setImmediate'),
    ];
    const { status } = await callJson(replica.port, 'GET', '/v1/load/stats?cluster=c');
    expect(status).toBe(200);
    for (const timer of timers) expect(timer).not.toHaveBeenCalled();
    expect(looks).not.toHaveBeenCalled();
  });
});
