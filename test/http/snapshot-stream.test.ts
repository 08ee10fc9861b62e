/** What becomes of a snapshot that can't be written to its end, and of a reader that does not read it. */
import { until } from '../support/until';
import { RawConnection, call } from './client';
import { stopReplicas } from './replica';
import { startServer } from './server-fixture';

afterAll(stopReplicas);

const REQUEST = 'GET /v1/replica/snapshot HTTP/1.1\r\nHost: test\r\n\r\n';
const LINE = 'x'.repeat(64 * 1024);

function* lines(count: number, defect?: Error): Generator<string> {
  for (let i = 0; i < count; i++) yield LINE;
  if (defect) throw defect;
}

it('a defect in writing it is logged, and cuts the connection: it does not look like a whole one', async () => {
  const { port, log } = await startServer({ snapshot: () => lines(3, new Error('a defect')) });
  const reader = (await RawConnection.open(port)).send(REQUEST);
  await reader.untilClosed();
  expect(log.filter(({ msg }) => msg === 'request failed')).toMatchObject([{ err: { message: 'a defect' } }]);
});

it('a reader that takes nothing loses its place (I7)', async () => {
  const { port } = await startServer({ snapshot: () => lines(1_000) });
  const readers: RawConnection[] = [];
  for (let i = 0; i < 4; i++) {
    const reader = (await RawConnection.open(port)).send(REQUEST);
    reader.socket.pause();
    readers.push(reader);
  }
  const statusOf = async (): Promise<number> => (await call(port, 'GET', '/v1/replica/snapshot')).status;
  await until(async () => (await statusOf()) === 503, { describe: 'all places are taken' });
  await until(async () => (await statusOf()) === 200, {
    describe: 'a place is free again',
    intervalMs: 500,
    timeoutMs: 90_000,
  });
  for (const { socket } of readers) socket.destroy();
});
