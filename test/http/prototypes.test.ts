/** Guards the one thing that makes express fast enough; it costs a factor of three when lost, and nothing fails. */
import { callJson, post } from './client';
import { startReplica, stopReplicas } from './replica';

afterAll(stopReplicas);
afterEach(() => jest.restoreAllMocks());

it('no request and no response has its prototype changed on its way through express', async () => {
  const replica = await startReplica();
  const changes: unknown[] = [];
  const original = Object.setPrototypeOf.bind(Object);
  const calls = jest
    .spyOn(Object, 'setPrototypeOf')
    .mockImplementation((target: object, prototype: object | null) => {
      if (Object.getPrototypeOf(target) !== prototype) changes.push(target);
      return original(target, prototype) as unknown;
    });
  await post(replica.port, { cluster: 'c', request_id: 'r', ip: '10.0.0.1' });
  await callJson(replica.port, 'GET', '/v1/load/stats?cluster=c');
  await callJson(replica.port, 'GET', '/nowhere');
  expect(calls).toHaveBeenCalled();
  expect(changes).toEqual([]);
});
