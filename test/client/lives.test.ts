/**
 * 20,000 lives of requests by the client over three real replicas, while one is killed and started again, NATS is restarted, and one
 * stops answering: at the end every row is 0, and no call was later than its time.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { type Booking, MetadataCenter, type View } from '../../src/client';
import { nodeSurroundings } from '../../src/client/surroundings';
import { Fleet } from '../convergence/fleet';
import { CleanUp } from '../support/clean-up';
import { seededRandom } from '../support/seeded-random';
import { isFull, runs } from '../support/size';
import { until } from '../support/until';

const LIVES = runs(20_000);
const AT_ONCE = isFull ? 50 : 25;
const CLUSTERS = ['llama', 'qwen', 'mistral', 'gemma'];
const ENGINES = Array.from({ length: 8 }, (_, i) => `10.0.0.${i + 1}`);
const [TIMEOUT_MS, ATTEMPTS] = [100, 3];
const NAME = 'replicas.test';

const cleanUp = new CleanUp();
afterAll(() => cleanUp.run());

interface Row {
  readonly queued_req_num: number;
  readonly prompt_length: number;
}

async function rowsAt(url: string): Promise<Row[]> {
  const query = CLUSTERS.map((cluster) => `cluster=${cluster}`).join('&');
  const response = await fetch(`${url}/v1/load/rows?${query}`);
  const { data } = (await response.json()) as { data: { rows: Row[] }[] };
  return data.flatMap(({ rows }) => rows);
}

describe('the client over three replicas in trouble', () => {
  it('leaves every row at 0, gives up no delete, and lets no call take longer than it may (I2, I4, I6)', async () => {
    const fleet = await cleanUp.use(Fleet.start({ size: 3, env: { LOG_LEVEL: 'warn' } }), (it) => it.stop());
    const refused: string[] = [];
    const mc = new MetadataCenter(
      {
        replicas: `${NAME}:${fleet.port}`,
        timeoutMs: TIMEOUT_MS,
        attempts: ATTEMPTS,
        closeMs: 60_000,
        onRefused: ({ message }, op) => refused.push(`${op} ${message}`),
      },
      { ...nodeSurroundings, lookup: () => Promise.resolve(fleet.members.map(({ host }) => host)) },
    );
    cleanUp.add(() => mc.close());
    const views = new Map<string, View>(CLUSTERS.map((cluster) => [cluster, mc.watch(cluster)]));

    const random = seededRandom(20_000);
    const eventLoop = monitorEventLoopDelay({ resolution: 5 });
    eventLoop.enable();
    let begun = 0;
    let unanswered = 0;
    let longestMs = 0;
    let troubled = true;

    const begin = async (cluster: string, promptLength: number): Promise<Booking> => {
      if (random() < 0.5) {
        const start = performance.now();
        try {
          return await mc.select({ cluster, promptLength, candidates: ENGINES });
        } catch {
          // No replica could say: the gateway goes by what it has.
          unanswered++;
        } finally {
          longestMs = Math.max(longestMs, performance.now() - start);
        }
      }
      const { ip } = views.get(cluster)!.pick({ of: 4, candidates: ENGINES })!;
      return mc.add({ cluster, ip, promptLength });
    };
    const gateway = async (): Promise<void> => {
      while (begun < LIVES || troubled) {
        const number = begun++;
        await using booking = await begin(CLUSTERS[number % CLUSTERS.length]!, 1 + (number % 500));
        await delay(random() * 20);
        if (random() < 0.9) booking.firstToken();
        await delay(random() * 60);
      }
    };

    const troubles = async (): Promise<void> => {
      const [killed, paused] = fleet.members as [Fleet['members'][number], Fleet['members'][number]];
      await delay(500);
      await killed.replica.kill();
      await delay(700);
      await fleet.launch(killed);
      await killed.replica.ready();
      await fleet.nats.kill();
      await delay(700);
      await fleet.nats.run();
      await delay(500);
      paused.replica.signal('SIGSTOP');
      await delay(2_000);
      paused.replica.signal('SIGCONT');
      await delay(500);
      troubled = false;
    };

    await Promise.all([troubles(), ...Array.from({ length: AT_ONCE }, gateway)]);
    await mc.flush(AbortSignal.timeout(60_000));
    const { counts } = mc;
    expect(counts).toMatchObject({ inFlight: 0, waiting: 0 });
    expect(counts.givenUp).toMatchObject({ add: 0, 'prompt-delete': 0, delete: 0 });
    expect(refused).toEqual([]);

    const rows = await Promise.all(
      fleet.urls.map((url) => {
        let seen: Row[] = [];
        return until(
          async () => {
            seen = await rowsAt(url);
            return seen.every((row) => row.queued_req_num === 0 && row.prompt_length === 0) && seen;
          },
          { timeoutMs: 60_000, describe: () => `every row of ${url} is 0: ${JSON.stringify(seen)}` },
        );
      }),
    );
    for (const each of rows) expect(each).toHaveLength(CLUSTERS.length * ENGINES.length);
    // The view hears of the last change one interval later.
    for (const view of views.values())
      await until(() => view.rows.every((row) => row.queuedRequests === 0), { describe: 'the view is 0' });

    const lateMs = eventLoop.max / 1e6;
    process.stdout.write(
      `${begun} lives, ${counts.taken} reports; ${unanswered} selects without an answer; the longest took ${Math.round(longestMs)} ms, where the event loop was held for ${Math.round(lateMs)} ms at the most\n`,
    );
    // Each attempt may end as late as this process is.
    expect(longestMs).toBeLessThan(ATTEMPTS * (TIMEOUT_MS + lateMs) + 100);
  });
});
