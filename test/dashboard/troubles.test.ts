/** The page says on top, in words, what is wrong; and nothing where nothing is. */
import { Fleet } from '../convergence/fleet';
import { TestBrowser } from '../support/chromium';
import { findChromium } from '../support/chromium-binary';
import { CleanUp } from '../support/clean-up';
import { until } from '../support/until';

const executable = findChromium();
const withBrowser = executable === undefined ? describe.skip : describe;
const cleanUp = new CleanUp();
afterAll(() => cleanUp.run());

const PATIENCE_MS = 20_000;

withBrowser('the dashboard in trouble', () => {
  it('is calm when new, then says that a limit is near, reports are refused, requests expire, and a peer is lost (I7)', async () => {
    const env = { METADATA_CENTER_MAX_IN_FLIGHT: '20', METADATA_CENTER_LOAD_REQ_EXPIRE: '5s' };
    const fleet = await cleanUp.use(Fleet.start({ size: 2, env }), (it) => it.stop());
    const browser = await cleanUp.use(TestBrowser.open(executable!), (it) => it.close());
    const url = fleet.urls[0]!;
    const page = await browser.context.newPage();
    await page.goto(url);
    const alert = page.getByRole('alert');
    const says = (text: string | RegExp): Promise<void> =>
      alert.getByText(text).first().waitFor({ timeout: PATIENCE_MS });
    const pill = (text: string): Promise<void> =>
      page.locator('#connection', { hasText: text }).waitFor({ timeout: PATIENCE_MS });

    await pill('live');
    const peer = page.locator('#replica-rows tr').nth(1);
    await until(async () => /ready.*up0/.test((await peer.textContent()) ?? ''), {
      describe: 'the peer stands beside this replica, ready, with its bus and without holes',
    });
    expect(await alert.textContent()).toBe('');
    expect(await page.locator('.warn').allTextContents()).toEqual([]);

    let ids = 0;
    const report = async (): Promise<number> => {
      const body = { cluster: 'c', ip: '10.0.0.1', request_id: `r${++ids}`, prompt_length: 1 };
      const answer = await fetch(`${url}/v1/load/stats`, { method: 'POST', body: JSON.stringify(body) });
      return answer.status;
    };
    for (let i = 0; i < 17; i++) expect(await report()).toBe(200);
    await says('The limit of requests in flight is near.');
    while ((await report()) === 200);
    await says(
      'Reports are refused: the limit of requests in flight (METADATA_CENTER_MAX_IN_FLIGHT) is reached.',
    );
    await says(/20 of 20 in use, 1 refused/);
    await pill('refusing reports');
    await says('Requests expire');
    await fleet.members[1]!.replica.kill();
    await says(/^1 of 1 peers cannot be reached: /);
    await until(async () => (await peer.locator('.warn').allTextContents()).includes('lost'), {
      describe: 'the lost peer is marked in its row',
    });
  });
});
