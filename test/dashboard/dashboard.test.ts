/// <reference lib="dom" />
/** The page in a real browser, in front of two real replicas on a real bus. */
import type { Page } from 'playwright-core';
import { callJson, closeConnections, del, delPrompt, post } from '../http/client';
import { TestBrowser } from '../support/chromium';
import { findChromium } from '../support/chromium-binary';
import { CleanUp } from '../support/clean-up';
import { NatsServerProcess } from '../support/nats-server';
import { ReplicaProcess } from '../support/replica-process';
import { until } from '../support/until';

const executable = findChromium();
const withBrowser = executable === undefined ? describe.skip : describe;
const SCREEN = { width: 1280, height: 900 };

let nats: NatsServerProcess;
let shown: ReplicaProcess;
let other: ReplicaProcess;
let browser: TestBrowser;
let page: Page;
let origin = '';
let foreign: string[] = [];
let errors: string[] = [];
const atEnd = new CleanUp();

beforeAll(async () => {
  if (executable === undefined) return;
  atEnd.add(closeConnections);
  nats = await atEnd.use(NatsServerProcess.start(), (it) => it.stop());
  [shown, other] = await Promise.all([startReplica(), startReplica()]);
  const opening = TestBrowser.open(executable, { viewport: SCREEN });
  browser = await atEnd.use(opening, (it) => it.close());
  // One page for all: a new one costs a process, and what the browser does for a window.
  page = await browser.context.newPage();
  page.on('request', (request) => {
    if (!request.url().startsWith(`${origin}/`)) foreign.push(request.url());
  });
  page.on('pageerror', (error) => errors.push(String(error)));
});

afterAll(() => atEnd.run());

function startReplica(port?: number, env: Record<string, string> = {}): Promise<ReplicaProcess> {
  const options = { env: { NATS_URL: nats.url, ...env }, ...(port !== undefined && { port }) };
  return atEnd.use(ReplicaProcess.start(options), (it) => it.kill());
}

/** Of a deployment of its own: it misses nothing that was reported before it started. */
const startAlone = (port?: number): Promise<ReplicaProcess> =>
  startReplica(port, { NATS_SUBJECT_PREFIX: 'alone' });

async function open(cluster: string, replica = shown): Promise<void> {
  foreign = [];
  errors = [];
  origin = replica.url;
  await page.goto(`${replica.url}/#cluster=${cluster}`);
  await pill('live')
    .waitFor()
    .catch(async (e: unknown) => {
      throw new Error(`The page says: ${await page.locator('body').innerText()}`, { cause: e });
    });
}

const pill = (text: string) => page.locator('#connection', { hasText: text });

let ids = 0;
/** A report, unless it says otherwise at the replica that the page does not come from. */
async function report(cluster: string, ip: string, prompt_length = 100, replica = other): Promise<string> {
  const request_id = `request-${++ids}`;
  expect((await post(replica.port, { cluster, ip, request_id, prompt_length })).reason).toBe('');
  return request_id;
}

const rowOf = (ip: string) => page.locator('#engine-rows tr', { has: page.getByText(ip, { exact: true }) });

/** A second on an idle machine, which the output shows; other work on the same cores must not fail a test. */
const PATIENCE_MS = 10_000;

async function untilText(ip: string, text: string): Promise<void> {
  const started = performance.now();
  await rowOf(ip).getByText(text, { exact: true }).first().waitFor({ timeout: PATIENCE_MS });
  process.stdout.write(
    `the page shows ${text} at ${ip} after ${Math.round(performance.now() - started)} ms\n`,
  );
}

withBrowser('the dashboard', () => {
  afterEach(async () => {
    expect(errors).toEqual([]);
    await page.emulateMedia({ colorScheme: null });
    await page.setViewportSize(SCREEN);
    // Its streams end with it.
    await page.goto('about:blank');
  });

  it('shows rows within a second of a report at another replica, and each change of them', async () => {
    await open('live');
    const first = await report('live', '10.1.0.1');
    await untilText('10.1.0.1', '1');
    await report('live', '10.1.0.1', 1_234);
    await untilText('10.1.0.1', '1,334');
    await del(other.port, { request_id: first });
    await untilText('10.1.0.1', '1,234');
    await report('live', '10.1.0.2');
    await untilText('10.1.0.2', '1');
    await page
      .locator('#cluster-rows tr', { hasText: 'live' })
      .getByText('1,334')
      .waitFor({ timeout: PATIENCE_MS });
    expect(foreign).toEqual([]);
  });

  it('shows the gateways of a cluster to who folds them out, the dead ones first (I13)', async () => {
    await open('held');
    const of = (owner: string): object => ({ cluster: 'held', ip: '10.2.0.1', request_id: owner, owner });
    for (const owner of ['gw-alive', 'gw-dead']) await post(shown.port, of(owner));
    await callJson(shown.port, 'DELETE', '/v1/load/owner', { body: '{"owner":"gw-dead"}' });
    await untilText('10.2.0.1', '1');
    expect(await page.locator('#owner-rows tr').count()).toBe(0);
    await page.getByText('Gateways that hold these requests').click();
    await page.getByText('2 processes, 1 of them dead').waitFor({ timeout: PATIENCE_MS });
    const rows = await page.locator('#owner-rows tr').allTextContents();
    expect(rows.map((row) => row.slice(0, 12))).toEqual(['gw-deaddead1', 'gw-alivealiv']);
  });

  it('says at once that its replica is gone, keeps what it knew, and comes back with it', async () => {
    const ownReplica = await startAlone();
    await open('gone', ownReplica);
    await report('gone', '10.3.0.1', 100, ownReplica);
    await untilText('10.3.0.1', '1');
    await ownReplica.kill();
    await page.getByRole('alert').getByText('This replica does not answer').waitFor({ timeout: PATIENCE_MS });
    expect(await rowOf('10.3.0.1').count()).toBe(1);
    await startAlone(ownReplica.port);
    await pill('live').waitFor({ timeout: PATIENCE_MS });
    await until(async () => (await rowOf('10.3.0.1').count()) === 0, {
      describe: 'the row that the new replica does not have is gone',
    });
  });

  it('notices a replica that hangs with its connections open', async () => {
    const hanging = await startAlone();
    await open('hangs', hanging);
    hanging.signal('SIGSTOP');
    await page.getByRole('alert').getByText('it says nothing').waitFor({ timeout: PATIENCE_MS });
    hanging.signal('SIGCONT');
    await pill('live').waitFor({ timeout: PATIENCE_MS });
  });

  it('shows the prefix cache of its replica: entries, horizon, hits and misses', async () => {
    await open('cached');
    const send = (path: string, body: object): Promise<unknown> =>
      fetch(`${shown.url}${path}`, { method: 'POST', body: JSON.stringify(body) });
    const prompt = { cluster: 'cached', prompt_hash: [1, 2, 3] };
    const fact = (name: string) => page.locator(`dt:text-is("${name}") + dd`);
    await send('/v1/cache/save', { ...prompt, ip: '10.7.0.1' });
    await fact('Prefix cache').getByText('3 prefixes', { exact: true }).waitFor({ timeout: PATIENCE_MS });
    expect(await fact('Cache horizon').textContent()).toMatch(/^(59\d|600) s$/);
    for (let i = 0; i < 3; i++) await send('/v1/cache/query', prompt);
    await send('/v1/cache/query', { ...prompt, prompt_hash: [9] });
    await fact('Cache hits / misses').getByText('(75 % hits)').waitFor({ timeout: PATIENCE_MS });
  });

  it('can be used by keyboard alone: reach the engines, move, pick one, filter, order', async () => {
    for (const [ip, count] of [
      ['10.4.0.1', 1],
      ['10.4.0.2', 3],
      ['10.4.0.3', 2],
    ] as const) {
      for (let i = 0; i < count; i++) await report('keys', ip);
    }
    await open('keys');
    await untilText('10.4.0.2', '3');
    const listed = () => page.locator('#engine-rows button').allTextContents();
    await until(async () => (await listed()).join() === '10.4.0.2,10.4.0.3,10.4.0.1', {
      describe: 'the busiest is the first',
    });
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Skip to the engines');
    await page.keyboard.press('Enter');
    const focused = (): Promise<string | null | undefined> =>
      page.evaluate(() => document.activeElement?.textContent);
    for (let presses = 0; presses < 6 && (await focused()) !== '10.4.0.2'; presses++)
      await page.keyboard.press('Tab');
    await page.keyboard.press('ArrowDown');
    expect(await focused()).toBe('10.4.0.3');
    await page.keyboard.press('Enter');
    expect(await page.getByRole('button', { name: '10.4.0.3', pressed: true }).count()).toBe(1);
    expect(await page.locator('.of').allTextContents()).toEqual(['10.4.0.3', '10.4.0.3']);
    await page.keyboard.press('End');
    expect(await focused()).toBe('10.4.0.1');
    await page.keyboard.press('/');
    await page.keyboard.type('0.3');
    await until(async () => (await listed()).join() === '10.4.0.3', { describe: 'only the match is listed' });
    for (let i = 0; i < 3; i++) await page.keyboard.press('Backspace');
    await page.keyboard.press('Tab');
    await page.keyboard.press('ArrowRight');
    await until(async () => (await listed()).join() === '10.4.0.1,10.4.0.2,10.4.0.3', {
      describe: 'by address',
    });
  });

  it('has names and roles for a screen reader, and leaves the bars to the eye', async () => {
    await report('spoken', '10.5.0.1', 77);
    const prefilled = await report('spoken', '10.5.0.1', 50);
    await delPrompt(other.port, { request_id: prefilled });
    await open('spoken');
    const engines = page.getByRole('table', { name: 'Engines of the selected cluster' });
    await engines.getByRole('row', { name: '10.5.0.1 2 1 77' }).waitFor();
    expect(await engines.getByRole('columnheader').allTextContents()).toHaveLength(5);
    expect(await page.getByRole('link', { name: 'spoken' }).getAttribute('aria-current')).toBe('true');
    for (const name of ['Clusters', 'spoken', 'This replica']) {
      expect(await page.getByRole('region', { name }).count()).toBe(1);
    }
    expect(await page.locator('.bar:not([aria-hidden="true"])').count()).toBe(0);
  });

  it.each(['light', 'dark'] as const)('is legible in the %s scheme', async (colorScheme) => {
    await report('colours', '10.6.0.1');
    await open('colours');
    await page.emulateMedia({ colorScheme });
    const contrasts = await page.evaluate(() => {
      const channels = (colour: string) => colour.match(/[\d.]+/g)!.map(Number);
      const luminance = (colour: string) => {
        const [r, g, b] = channels(colour).map((value) => {
          const part = value / 255;
          return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
        }) as [number, number, number];
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const ground = luminance(getComputedStyle(document.querySelector('section')!).backgroundColor);
      const contrast = (selector: string, property: 'color' | 'backgroundColor') => {
        const ink = luminance(getComputedStyle(document.querySelector(selector)!)[property]);
        return (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05);
      };
      return {
        ground,
        text: contrast('dd', 'color'),
        muted: contrast('dt', 'color'),
        bars: contrast('.key.queued', 'backgroundColor'),
        prompts: contrast('.key.prompt', 'backgroundColor'),
      };
    });
    expect(contrasts.ground > 0.5).toBe(colorScheme === 'light');
    expect(Math.min(contrasts.text, contrasts.muted)).toBeGreaterThan(4.5);
    expect(Math.min(contrasts.bars, contrasts.prompts)).toBeGreaterThan(3);
  });

  const NAMES = ['meta-llama/Llama-3.1-8B-Instruct', 'meta-llama/Llama-3.1-70B-Instruct'];

  it('hides no column and cuts no name at any width, has its replica above the engines on a phone, and opens a cluster by its whole row', async () => {
    for (const name of NAMES) await report(name, '10.8.100.200', 1_000_000);
    await open(encodeURIComponent(NAMES[0]!));
    await untilText('10.8.100.200', '1,000,000');
    for (const width of [390, 768, 1024, 1440, 1920]) {
      await page.setViewportSize({ width, height: 900 });
      const cut = await page.evaluate((names) => {
        const found: string[] = [];
        const shows = (node: Element): boolean => node.clientWidth > 0 || node.getClientRects().length > 0;
        for (const section of document.querySelectorAll('section:not(.empty)')) {
          const { right } = section.getBoundingClientRect();
          for (const cell of section.querySelectorAll('th, td, dt, dd, h2, h3')) {
            const text = cell.textContent.trim();
            if (!shows(cell)) found.push(`${text} is hidden`);
            else if (cell.getBoundingClientRect().right > right + 0.5) found.push(`${text} sticks out`);
            else if (cell.scrollWidth > cell.clientWidth + 1 && !cell.classList.contains('unseen'))
              found.push(`${text} is cut`);
          }
        }
        const links = [...document.querySelectorAll('#cluster-rows a')];
        for (const name of names) {
          const link = links.find((each) => each.textContent === name)!;
          const range = document.createRange();
          range.selectNodeContents(link);
          const cell = link.closest('th')!.getBoundingClientRect();
          const { right, bottom } = range.getBoundingClientRect();
          if (right > cell.right || bottom > cell.bottom) found.push(`${name} is cut`);
        }
        if (document.documentElement.scrollWidth > innerWidth) found.push('it scrolls sideways');
        return found;
      }, NAMES);
      expect([width, cut]).toEqual([width, []]);
    }
    await page.setViewportSize({ width: 390, height: 844 });
    const top = async (name: string): Promise<number> => (await page.locator(name).boundingBox())!.y;
    expect(await top('.replica')).toBeLessThan(await top('.cluster'));
    await page.setViewportSize({ width: 1280, height: 900 });
    await page
      .locator('#cluster-rows tr', { hasText: NAMES[1]! })
      .locator('td')
      .last()
      .click({ force: true });
    await page.getByRole('region', { name: NAMES[1]! }).waitFor();
    await page.setViewportSize({ width: 390, height: 844 });
    await page.goto(`${shown.url}/docs`);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
    await page.setViewportSize({ width: 1280, height: 900 });
  });

  it('is in the order of the values that it shows at each look, and says so when the order is held', async () => {
    const ips = Array.from({ length: 12 }, (_, i) => `10.9.0.${i}`);
    for (const ip of ips) await report('order', ip);
    await open('order');
    await untilText('10.9.0.11', '1');
    let round = 0;
    const looked = new AbortController();
    const traffic = (async () => {
      while (!looked.signal.aborted) {
        await report('order', ips[(round++ * 7) % 12]!, (round * 911) % 5_000);
        await page.waitForTimeout(20);
      }
    })();
    const wrong = await page.evaluate(async () => {
      const found: string[] = [];
      let different = '';
      let looks = 0;
      const started = performance.now();
      while (performance.now() - started < 4_000 || looks < 3) {
        const rows = [...document.querySelectorAll('#engine-rows tr')].map((row) =>
          [...row.querySelectorAll('.load > span')].map(({ textContent }) =>
            Number(textContent.replaceAll(',', '')),
          ),
        );
        for (let i = 1; i < rows.length; i++) {
          const [[q = 0, p = 0] = [], [nextQ = 0, nextP = 0] = []] = [rows[i - 1], rows[i]];
          if (q < nextQ || (q === nextQ && p < nextP)) found.push(`${q}/${p} before ${nextQ}/${nextP}`);
        }
        if (JSON.stringify(rows) !== different) looks++;
        different = JSON.stringify(rows);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      return found;
    });
    looked.abort();
    await traffic;
    expect(wrong).toEqual([]);
    expect(await page.locator('#engines-held').isVisible()).toBe(false);
    await page.locator('#engine-rows tr').nth(2).hover();
    await page.getByText('order held while you are in the table').waitFor();
    await page.mouse.move(0, 0);
    await page.locator('#engines-held').waitFor({ state: 'hidden' });
  });

  it('fits a phone without scrolling sideways', async () => {
    await report('phone', '10.7.100.200', 1_000_000);
    await open('phone');
    await untilText('10.7.100.200', '1,000,000');
    const scrollWidth = (): Promise<number> => page.evaluate(() => document.documentElement.scrollWidth);
    const chartWidth = (): Promise<number> =>
      page.evaluate(() => document.querySelector('.charts canvas')!.getBoundingClientRect().width);
    expect(await chartWidth()).toBeGreaterThan(360);
    await page.setViewportSize({ width: 360, height: 740 });
    // At once, with charts that are still drawn for the wider page, and when they have been drawn anew.
    expect(await scrollWidth()).toBeLessThanOrEqual(360);
    await until(async () => (await chartWidth()) < 360, { describe: 'the charts are drawn for the phone' });
    expect(await scrollWidth()).toBeLessThanOrEqual(360);
  });

  it('says within seconds that the bus is lost, and that it is back', async () => {
    await open('bus');
    await nats.kill();
    await page.getByRole('alert').getByText('The bus is lost').waitFor({ timeout: PATIENCE_MS });
    await pill('bus lost').waitFor();
    await nats.run();
    await pill('live').waitFor({ timeout: 2 * PATIENCE_MS });
    expect(await page.getByRole('alert').textContent()).toBe('');
  });
});

withBrowser('the API page', () => {
  it('makes the calls that it shows at its replica, with the token that it is given, and shows the answer', async () => {
    const starting = ReplicaProcess.start({ env: { METADATA_CENTER_AUTH_TOKENS: 'right-token' } });
    const guarded = await atEnd.use(starting, (it) => it.kill());
    await page.goto(`${guarded.url}/docs`);
    const add = page.locator('#post-v-load-stats');
    await add.getByRole('button', { name: 'Send' }).click();
    await add.locator('output').getByText('401 Unauthorized').waitFor();
    await page.getByLabel('Token').fill('right-token');
    await add.getByRole('button', { name: 'Send' }).click();
    await add.locator('output').getByText('200 OK').waitFor();
    const rows = page.locator('#get-v-load-stats');
    await rows.getByLabel('Path').press('Enter');
    await rows.locator('output').getByText('"queued_req_num":1').waitFor();
  });
});

withBrowser('the dashboard of a replica that asks for a token', () => {
  it('is open itself, asks for the token, says when it is wrong, and is live with the right one', async () => {
    const starting = ReplicaProcess.start({ env: { METADATA_CENTER_AUTH_TOKENS: 'right-token' } });
    const guarded = await atEnd.use(starting, (it) => it.kill());
    await page.goto(guarded.url);
    await page.getByText('This replica asks for a token.').waitFor();
    const empty = page.getByText('No request has been reported yet');
    expect(await empty.isVisible()).toBe(false);
    await page.getByLabel('Bearer token').fill('wrong-token');
    await page.keyboard.press('Enter');
    await page.getByText('This replica does not accept that token.').waitFor();
    await page.getByLabel('Bearer token').fill('right-token');
    await page.getByRole('button', { name: 'Continue' }).click();
    await pill('live').waitFor();
    await empty.waitFor();
    expect(await page.locator('.empty code').first().textContent()).toContain(
      `curl -X POST ${guarded.url}/v1/load/stats`,
    );
    expect(await page.locator('.charts').isVisible()).toBe(false);
    await page.reload();
    await pill('live').waitFor();
  });
});
