/** What a replica says of its peers: no alarm while they start, and as of now for as long as it runs. */
import { CleanUp } from '../support/clean-up';
import { until } from '../support/until';
import { Fleet } from './fleet';

const cleanUp = new CleanUp();
afterEach(() => cleanUp.run());

async function reasonAt(url: string): Promise<string> {
  const { data } = (await (await fetch(`${url}/readyz`)).json()) as { data: { reason: string } };
  return data.reason;
}

test('a peer that was never there is no warning, one that is gone is, and the reason for being ready stays current', async () => {
  const fleet = await cleanUp.use(Fleet.start({ size: 2, env: { NATS_HISTORY: 'auto' } }), (it) => it.stop());
  const [first, second] = fleet.members.map(({ replica }) => replica);
  const becomes = (words: string): Promise<unknown> =>
    until(async () => (await reasonAt(fleet.urls[0]!)).endsWith(`; ${words}`), {
      timeoutMs: 20_000,
      describe: `the reason says ${words}`,
    });
  const warnings = (): unknown[] =>
    first!.log.filter(({ msg, level }) => msg === 'peer unreachable' && level === 'warn');
  await becomes('1 of 1 peers ready');
  expect(warnings()).toEqual([]);
  await second!.kill();
  await becomes('0 of 1 peers ready');
  await until(() => warnings().length > 0, { describe: 'the peer that is gone is a warning' });
  const replicas = new Set(first!.log.map(({ replica }) => replica));
  expect(replicas.size).toBe(1);
  expect([...replicas][0]).toMatch(/^[\w-]{16}$/);
});
