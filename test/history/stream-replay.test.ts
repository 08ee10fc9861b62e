import { connect, type NatsConnection } from 'nats';
import { parseNatsServers } from '../../src/bus/nats-servers';
import { JetStreamLink } from '../../src/history/jetstream-link';
import { StreamReplay } from '../../src/history/stream-replay';
import { LINK } from '../bus/nats-bus-fixture';
import { CleanUp } from '../support/clean-up';
import { JETSTREAM, NatsServerProcess } from '../support/nats-server';
import { ReplicaProcess } from '../support/replica-process';
import { until } from '../support/until';
import { readyz, type Readyz } from './restarts';

let nats: NatsServerProcess;
let connection: NatsConnection;
let link: JetStreamLink;
const cleanUp = new CleanUp();

beforeEach(async () => {
  nats = await cleanUp.use(NatsServerProcess.start({ config: JETSTREAM }), (it) => it.stop());
  connection = await cleanUp.use(connect({ servers: nats.url }), (it) => it.close());
  const [server] = parseNatsServers(nats.url);
  const opening = JetStreamLink.open(server!, LINK);
  link = await cleanUp.use(opening, (it) => it.close());
});

afterEach(() => cleanUp.run());

async function publish(count: number, from = 1): Promise<void> {
  for (let n = from; n < from + count; n++) connection.publish('p.load.add', String(n));
  await connection.flush();
}

function numbers(count: number, from = 1): number[] {
  return Array.from({ length: count }, (_, i) => from + i);
}

/** Replays up to message `lastSeq`; answers with what came, and calls `onEach` with how many have. */
async function replay(
  lastSeq: number,
  since: 'start' | { timeUs: number } = 'start',
  onEach: (count: number) => void = () => undefined,
): Promise<number[]> {
  const came: number[] = [];
  const request = {
    stream: 's',
    filterSubject: 'p.load.*',
    since,
    lastSeq,
    pace: { batch: 100, pauseMs: 1 },
  };
  const run = new StreamReplay(link, request, {
    onMessage: (payload) => {
      came.push(Number(Buffer.from(payload).toString()));
      onEach(came.length);
    },
    onProgress: () => undefined,
  });
  expect(await run.run()).toBe(came.length);
  return came;
}

describe('A replay', () => {
  beforeEach(async () => {
    const manager = await connection.jetstreamManager();
    await manager.streams.add({ name: 's', subjects: ['p.>'], storage: 'memory' as never });
  });

  it('brings every message once and in order, and ends with the one that was the last', async () => {
    await publish(1_050);
    expect(await replay(1_050)).toEqual(numbers(1_050));
    await publish(10, 1_051);
    expect(await replay(1_050)).toEqual(numbers(1_050));
  });

  it('leaves other subjects out, also where the last message is one of them', async () => {
    await publish(3);
    connection.publish('p.replica.heartbeat', 'x');
    await connection.flush();
    expect(await replay(4)).toEqual([1, 2, 3]);
  });

  it('of nothing ends at once', async () => {
    expect(await replay(0)).toEqual([]);
  });

  it('begins at a time', async () => {
    await publish(5);
    const manager = await connection.jetstreamManager();
    const last = await manager.streams.getMessage('s', { seq: 5 });
    await until(() => Date.now() > last.time.getTime() + 1, { describe: 'the clock goes on' });
    const timeUs = Date.now() * 1000;
    await publish(5, 6);
    expect(await replay(10, { timeUs })).toEqual(numbers(5, 6));
  });

  it('goes on without a gap or a copy when its consumer is lost', async () => {
    await publish(1_000);
    const manager = await connection.jetstreamManager();
    let deleted = 0;
    const came = await replay(1_000, 'start', (count) => {
      if (count !== 250) return;
      void manager.consumers
        .list('s')
        .next()
        .then((consumers) =>
          consumers.forEach(({ name }) => void manager.consumers.delete('s', name).then(() => deleted++)),
        );
    });
    expect(came).toEqual(numbers(1_000));
    expect(deleted).toBe(1);
  });

  it('fails when there is no stream', async () => {
    const manager = await connection.jetstreamManager();
    await manager.streams.delete('s');
    await expect(replay(1)).rejects.toMatchObject({ kind: 'stream-not-found' });
  });
});

test('a replica that replays for long shows in /readyz how far it has got', async () => {
  const manager = await connection.jetstreamManager();
  const subjects = ['metadata-center.load.*'];
  await manager.streams.add({ name: 's', subjects, storage: 'memory' as never });
  const count = 150_000;
  for (let n = 1; n <= count; n++) {
    connection.publish(
      'metadata-center.load.delete',
      `{"v":1,"type":"delete","origin":"x","seq":${n},"time_us":${Date.now() * 1000},"request_id":"r${n}"}`,
    );
    if (n % 1_000 === 0) await connection.flush();
  }
  // However long it takes here, it must not be the time-out that makes it ready.
  const env = { NATS_URL: nats.url, METADATA_CENTER_READY_TIMEOUT: '2m' };
  const starting = ReplicaProcess.launch({ env });
  const replica = await cleanUp.use(starting, (it) => it.kill());
  let state: Readyz | undefined;
  const seen: [number, number][] = [];
  await until(
    async () => {
      state = await readyz(replica.url);
      const { replayed, to_replay: left, state: history } = state.history;
      if (history === 'replaying') seen.push([Number(replayed), Number(left)]);
      return state.ready;
    },
    { describe: () => JSON.stringify(state) },
  );
  expect(seen.some(([replayed, left]) => replayed > 0 && left > 0 && replayed + left === count)).toBe(true);
  expect(state!.history).toMatchObject({ replayed: count, to_replay: 0 });
});
