/// <reference lib="dom" />
/** A cluster of 1,000 engines that all change all the time: the page must stay calm and answer its reader. */
import type { Page } from 'playwright-core';
import { type Replica, startReplica, stopReplicas } from '../http/replica';
import { TestBrowser } from '../support/chromium';
import { findChromium } from '../support/chromium-binary';
import { CleanUp } from '../support/clean-up';
import { until } from '../support/until';

const executable = findChromium();
const withBrowser = executable === undefined ? describe.skip : describe;

const ENGINES = Array.from({ length: 1_000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);

let replica: Replica;
let browser: TestBrowser;
let page: Page;
const cleanUp = new CleanUp();

beforeAll(async () => {
  if (executable === undefined) return;
  cleanUp.add(stopReplicas);
  replica = await startReplica();
  const opening = TestBrowser.open(executable, { viewport: { width: 1280, height: 900 } });
  browser = await cleanUp.use(opening, (it) => it.close());
  let round = 0;
  const traffic = setInterval(() => {
    round++;
    for (const [i, ip] of ENGINES.entries()) {
      const requestId = `${round % 7} ${ip}`;
      replica.replicator.delete(requestId);
      const report = {
        cluster: 'c',
        ip,
        requestId: `${requestId} ${round}`,
        promptLength: (i * round) % 5_000,
      };
      replica.replicator.add({ ...report, timestampNs: undefined });
      if (round > 9) replica.replicator.delete(`${(round - 9) % 7} ${ip} ${round - 9}`);
    }
  }, 250);
  cleanUp.add(() => clearInterval(traffic));
});

afterAll(() => cleanUp.run());

/** Whether it is now: rows change places under it until it is, so it is put where the fourth one is at the moment. */
async function rowsAreUnderTheMouse(): Promise<boolean> {
  const place = await page.evaluate(() => {
    document.getElementById('engine-rows')!.scrollIntoView();
    const { x, y, width, height } = document.querySelectorAll('#engine-rows tr')[3]!.getBoundingClientRect();
    return { x: x + width / 2, y: y + height / 2 };
  });
  await page.mouse.move(place.x, place.y);
  return page.evaluate(() => document.getElementById('engine-rows')!.matches(':hover'));
}

withBrowser('1,000 engines that change four times a second', () => {
  it('are all there, and the page answers its reader in between', async () => {
    page = await browser.context.newPage();
    await page.goto(`http://127.0.0.1:${replica.port}/#cluster=c`);
    await until(async () => (await page.locator('#engine-rows tr').count()) === 1_000, {
      describe: 'all rows',
    });
    // Processor time of the page's thread, so that the figure does not depend on what else the machine does.
    const inspector = await browser.context.newCDPSession(page);
    await inspector.send('Performance.enable', { timeDomain: 'threadTicks' });
    const measure = async (): Promise<Record<string, number>> => {
      const { metrics } = await inspector.send('Performance.getMetrics');
      return Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
    };
    const before = await measure();
    const startedMs = performance.now();
    const updated = await page.evaluate(async () => {
      const seen = new Set<string>();
      const { key } = document.querySelector<HTMLElement>('#engine-rows tr')!.dataset;
      const start = performance.now();
      const passed = (): number => performance.now() - start;
      while (passed() < 4_000 || (seen.size < 2 && passed() < 60_000)) {
        // Found anew each time: where the stream had to begin again, so did the rows.
        const row = document.querySelector(`#engine-rows tr[data-key="${key}"]`);
        if (row) seen.add(row.textContent);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      return seen.size;
    });
    const seconds = (performance.now() - startedMs) / 1000;
    const after = await measure();
    const shareOf = (name: string): number => (after[name]! - before[name]!) / seconds;
    const shares = ['TaskDuration', 'ScriptDuration', 'RecalcStyleDuration', 'LayoutDuration'].map(
      (name) => `${name} ${(100 * shareOf(name)).toFixed(1)} %`,
    );
    process.stdout.write(
      `1,000 engines, ${updated} updates in ${seconds.toFixed(1)} s: ${shares.join(', ')}\n`,
    );
    expect(updated).toBeGreaterThan(1);
    expect(shareOf('TaskDuration')).toBeLessThan(0.8);
  });

  it('stay in place under the hand of the reader, and can be found', async () => {
    const names = () => page.locator('#engine-rows button').allTextContents();
    await until(rowsAreUnderTheMouse, { describe: 'the mouse is on a row' });
    // Longer than the order waits between two changes.
    const stay = async (): Promise<boolean> => {
      const before = await names();
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      return (await names()).join() === before.join();
    };
    await until(stay, { timeoutMs: 60_000, describe: 'the rows stay in place' });
    await page.getByLabel('Filter').fill('10.0.3.99');
    await until(async () => (await names()).join() === '10.0.3.99', {
      timeoutMs: 10_000,
      describe: 'the match',
    });
    const placeOf = () => page.getByRole('button', { name: '10.0.3.99' }).boundingBox();
    const place = await placeOf();
    await page.getByRole('button', { name: '10.0.3.99' }).click();
    // What moves between press and release loses its click.
    await page.getByText('order held while you are in the table').waitFor();
    expect(await placeOf()).toEqual(place);
    await until(async () => (await page.locator('.of').allTextContents()).join() === '10.0.3.99,10.0.3.99', {
      describe: 'the charts are those of the engine',
    });
  });

  it('reach a page that was left alone with a bounded number of nodes', async () => {
    await page.getByLabel('Filter').fill('');
    await until(async () => (await page.locator('#engine-rows tr').count()) === 1_000, {
      describe: 'all rows',
    });
    const nodes = await page.evaluate(() => document.querySelectorAll('*').length);
    // 15 a row, and the rest of the page.
    expect(nodes).toBeLessThan(16_000);
  });
});
